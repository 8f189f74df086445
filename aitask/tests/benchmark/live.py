"""Twenty agents that write: from a word of the CLI to its page, the follower beside it, and the cost."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab import processes
from aitask.tests.lab.app import App
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.page_socket import PageSocket
from tasks.tests.e2e.world import BACKENDS, World
from terminal.tests.socket_client import SocketClosed

RUNS = 20
ANSWERS, WORDS, PAUSE = 4, 50, 0.2
"Each agent writes so many answers of so many words, with a command after each, and rests between words."
WORD = re.compile(r"w\d+ ")
SAVED = "SELECT id, at FROM tasks_event WHERE id > ? ORDER BY id"


def measure() -> Iterator[Row]:
    with World() as world:
        workspace = world.add_workspace("live", permission_mode="full", max_parallel_runs=RUNS)["id"]
        begin, end = (world.app.folder / name for name in ("begin", "end"))
        waits = "@bash until [ -e {} ]; do sleep 0.1; done\n"
        answers = f"@words {WORDS} {PAUSE}\n@bash true\n" * ANSWERS
        script = waits.format(begin) + answers + waits.format(end)
        runs = [world.start(script, BACKENDS[i % 2], workspace=workspace) for i in range(RUNS)]
        wait_for(lambda: all(world.events(run, "tool") for run in runs), 180, "all agents to work", every=1)
        readers = [Reader(world, run) for run in runs]
        saved = Saved(world.app)
        before = cpu_by_role(world.app)
        begin.touch()
        words = RUNS * ANSWERS * WORDS
        wait_for(lambda: sum(len(reader.delays) for reader in readers) == words, 180, "all words", every=1)
        used = {role: seconds - before[role] for role, seconds in cpu_by_role(world.app).items()}
        saved.stop()
        end.touch()
        ended = [world.api.wait_for_run(run["id"], timeout=180)["state"] for run in runs]
        assert ended == ["succeeded"] * RUNS
    yield from _rows([delay for reader in readers for delay in reader.delays], saved.delays, used)


def cpu_by_role(app: App) -> dict[str, float]:
    """CPU seconds of what a word and an event pass through."""
    found = dict.fromkeys(("follower", "web", "serve", "runners"), 0.0)
    for role in ("follower", "web"):
        found[role] = processes.cpu_seconds(app.pid(role))
    for pid in app.leftovers():
        words = processes.command_of(pid).split()
        if "hostkit" in " ".join(words[:3]) and processes.is_alive(pid):
            found["serve" if "serve" in words else "runners"] += processes.cpu_seconds(pid)
    return found


def _rows(delays: list[float], saved: list[float], used: dict[str, float]) -> Iterator[Row]:
    what = f"a word to the page, {RUNS} agents write"
    yield Row("live", f"{what}, p50", statistics.median(delays), "ms")
    yield Row("live", f"{what}, p95", statistics.quantiles(delays, n=20)[-1], "ms", most=150)
    yield Row("live", "an event saved by the follower, p50", statistics.median(saved), "ms")
    yield Row("live", "an event saved by the follower, p95", statistics.quantiles(saved, n=20)[-1], "ms")
    for role, seconds in used.items():
        yield Row("live", f"CPU of {role}, a word", 1000 * seconds / len(delays), "ms")


class Reader:
    """Reads the socket of a task's page, and notes the milliseconds that each word took."""

    def __init__(self, world: World, run: dict[str, Any]) -> None:
        self.delays: list[float] = []
        self._spoken = world.endpoint.spoken_at
        self._session = world.api.run(run["id"])["cli_session"]
        self._page = PageSocket(world.app, run["task"])
        self._seen: set[tuple[str, str]] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, SocketClosed):
            while True:
                message = self._page.take(None)
                if message["t"] == "live":
                    self._note(time.time())

    def _note(self, now: float) -> None:
        """Note the new words. A word is said again in the next answer, which takes seconds."""
        for part in self._page.parts.parts.values():
            for word in WORD.findall(part.text):
                if (part.identity, word) not in self._seen:
                    self._seen.add((part.identity, word))
                    self.delays.append(1000 * (now - self._spoken[self._session, word]))


class Saved:
    """Notes the milliseconds from each event on its host until it is in the database."""

    def __init__(self, app: App) -> None:
        self.delays: list[float] = []
        self._file = f"file:{app.data / 'db.sqlite3'}?mode=ro"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        with closing(sqlite3.connect(self._file, uri=True)) as database:
            last = database.execute("SELECT max(id) FROM tasks_event").fetchone()[0]
            while not self._over.wait(0.02):
                for row in database.execute(SAVED, [last]).fetchall():
                    last, at = row
                    written = datetime.fromisoformat(at).replace(tzinfo=UTC)
                    self.delays.append(1000 * (datetime.now(UTC) - written).total_seconds())

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
