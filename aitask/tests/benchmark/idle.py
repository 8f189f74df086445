"""What an installation costs that does nothing, and how soon its first page is there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab import processes
from aitask.tests.lab.app import App

SETTLE, WATCHED = 20.0, 40.0
"Seconds until nothing of the start goes on, and for which the processor's time is watched."


def measure() -> Iterator[Row]:
    with App() as app:
        app.manage("check")  # so that everything is compiled
        began = time.monotonic()
        app.manage("check")
        check = time.monotonic() - began
        began = time.monotonic()
        app.up()
        yield Row("idle", "from start to the first page", time.monotonic() - began, "s", check, most=1.5)
        time.sleep(SETTLE)
        before = cpu_of(app)
        time.sleep(WATCHED)
        used = {role: seconds - before.get(role, 0.0) for role, seconds in cpu_of(app).items()}
        yield Row("idle", "of a core, all processes", 100 * sum(used.values()) / WATCHED, "%", most=1.5)
        for role, seconds in sorted(used.items()):
            yield Row("idle", f"CPU of {role}", 100 * seconds / WATCHED, "%")
        yield Row("idle", "memory of all processes (PSS)", sum(map(megabytes, tree(app))), "MB", most=200)
        for pid in tree(app):
            yield Row("idle", f"memory of {role_of(processes.command_of(pid))}", megabytes(pid), "MB")


def tree(app: App) -> list[int]:
    return [pid for pid in app.leftovers() if processes.is_alive(pid)]


def cpu_of(app: App) -> dict[str, float]:
    """CPU seconds by role."""
    found: dict[str, float] = {}
    for pid in tree(app):
        role = role_of(processes.command_of(pid))
        found[role] = found.get(role, 0.0) + processes.cpu_seconds(pid)
    return found


def role_of(command: str) -> str:
    words = {"aitask.web": "web", "qcluster": "worker", "follow_runs": "follower", " up": "up"}
    return next((role for word, role in words.items() if word in command), "others")


def megabytes(pid: int) -> float:
    return processes.proportional_memory(pid) / (1 << 20)
