"""How many events a second of one host are saved at most, so that the last is saved within a second."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

from aitask.tests.benchmark.live_runs import LiveRuns
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App

RUNS, SECONDS = 30, 10
RATES = (500, 1000, 2000, 3000)
PROMPT_SECONDS = 1.0
"Events that are saved later than this count as late."


def measure() -> Iterator[Row]:
    with App() as app:
        runs = LiveRuns(app, RUNS)
        app.start_role("follower")
        runs.write(RUNS, 1.0)
        wait_until_saved(app, runs.written)
        sustained = 0
        for rate in RATES:
            runs.write(rate, SECONDS)
            if wait_until_saved(app, runs.written) > PROMPT_SECONDS:
                break
            sustained = rate
        yield Row("intake", f"events a second, {RUNS} runs", sustained, "/s", at_least=2000)


def wait_until_saved(app: App, events: int) -> float:
    """Return the seconds until the database has so many events. Raises TimeoutError after a minute."""
    started = time.monotonic()
    with closing(sqlite3.connect(f"file:{app.data / 'db.sqlite3'}?mode=ro", uri=True)) as database:
        while database.execute("SELECT count(*) FROM tasks_event").fetchone()[0] < events:
            if time.monotonic() - started > 60:
                raise TimeoutError(f"not all of {events} events were saved\n{app.log[-2000:]}")
            time.sleep(0.02)
    return time.monotonic() - started
