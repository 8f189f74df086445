"""How many events a second of one host are saved at most, so that the last is saved within a second."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import Journal

RUNS, SECONDS = 30, 10
RATES = (500, 1000, 2000, 3000)
TICK = 0.05
PROMPT_SECONDS = 1.0
"Events that are saved later than this count as late."
ROWS = """
import sys, django
django.setup()
from tasks.tests.factories import make_run, make_task, make_workspace
workspace = make_workspace(max_parallel_runs=100)
for path in sys.argv[1:]:
    task = make_task(workspace=workspace, status="running")
    make_run(task=task, state="running", run_dir=path, tmux_window="@1")
"""


def measure() -> Iterator[Row]:
    with App() as app:
        folders = [app.home / "runs" / f"run{number}" for number in range(RUNS)]
        for folder in folders:
            folder.mkdir(parents=True, mode=0o700)
            RunFolder(folder).claim()  # the run is alive as long as this process is
        environment = app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"}
        command = [sys.executable, "-c", ROWS, *map(str, folders)]
        subprocess.run(command, cwd=app.project, env=environment, check=True)
        app.start_role("follower")
        writer = Writer(folders)
        writer.write(RUNS, 1.0)
        wait_until_saved(app, writer.written)
        sustained = 0
        for rate in RATES:
            writer.write(rate, SECONDS)
            if wait_until_saved(app, writer.written) > PROMPT_SECONDS:
                break
            sustained = rate
        yield Row("intake", f"events a second, {RUNS} runs", sustained, "/s", at_least=2000)


class Writer:
    """Writes events into the journals of all runs, one after the other."""

    def __init__(self, folders: list[Path]) -> None:
        self.journals = [Journal(folder / "events.jsonl") for folder in folders]
        self.written = 0

    def write(self, rate: int, seconds: float) -> None:
        """Write so many events a second."""
        first, started = self.written, time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            for _ in range(first + int(rate * passed) - self.written):
                text = f"Event {self.written}: looked at the parser and changed a line of it."
                self.journals[self.written % len(self.journals)].add({"kind": "text", "text": text})
                self.written += 1
            time.sleep(TICK)


def wait_until_saved(app: App, events: int) -> float:
    """Return the seconds until the database has so many events. Raises TimeoutError after a minute."""
    started = time.monotonic()
    with closing(sqlite3.connect(f"file:{app.data / 'db.sqlite3'}?mode=ro", uri=True)) as database:
        while database.execute("SELECT count(*) FROM tasks_event").fetchone()[0] < events:
            if time.monotonic() - started > 60:
                raise TimeoutError(f"not all of {events} events were saved\n{app.log[-2000:]}")
            time.sleep(0.02)
    return time.monotonic() - started
