"""Runs that are alive without agents: whoever has made them writes their events."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from aitask.tests.lab.app import App
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import Journal

TICK = 0.05
ROWS = """
import json, sys, django
django.setup()
from tasks.tests.factories import make_run, make_task, make_workspace
workspace = make_workspace(max_parallel_runs=100)
tasks = [make_task(workspace=workspace, status="running") for _ in sys.argv[1:]]
for task, path in zip(tasks, sys.argv[1:]):
    make_run(task=task, state="running", run_dir=path, tmux_window="@1")
print(json.dumps([task.pk for task in tasks]))
"""


class LiveRuns:
    """So many runs, each the first of a task of its own."""

    def __init__(self, app: App, runs: int) -> None:
        folders = [app.home / "runs" / f"run{number}" for number in range(runs)]
        for folder in folders:
            folder.mkdir(parents=True, mode=0o700)
            RunFolder(folder).claim()  # the run is alive as long as this process is
        self.journals = [Journal(folder / "events.jsonl") for folder in folders]
        self.tasks = make_rows(app, folders)
        self.written = 0

    def write(self, rate: int, seconds: float) -> None:
        """Write so many events a second, into the journals one after the other."""
        first, started = self.written, time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            for _ in range(first + int(rate * passed) - self.written):
                text = f"Event {self.written}: looked at the parser and changed a line of it."
                self.journals[self.written % len(self.journals)].add({"kind": "text", "text": text})
                self.written += 1
            time.sleep(TICK)


def make_rows(app: App, folders: list[Path]) -> list[int]:
    """Make a task with a run for each folder, and return their numbers."""
    environment = app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"}
    command = [sys.executable, "-c", ROWS, *map(str, folders)]
    done = subprocess.run(
        command, cwd=app.project, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    tasks: list[int] = json.loads(done.stdout.splitlines()[-1])
    return tasks
