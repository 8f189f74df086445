"""A hundred runs that may all start at once, against the same worktrees and windows made by hand."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.aviary import Aviary

RUNS = 100


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        aviary = Aviary(Path(folder))
        with aviary.app:
            aviary.open()
            aviary.run("the first one, which puts hostkit there")
            floor = by_hand(aviary)
            api = aviary.app.api
            api.patch(f"/api/workspaces/{aviary.workspace}", {"max_parallel_runs": RUNS})
            tasks = [api.add_task(aviary.workspace, f"say {n}", "parrot")["id"] for n in range(RUNS)]
            began = time.monotonic()
            runs = {api.run_task(task)["id"] for task in tasks}
            wait_for(lambda: all_started(aviary, runs), 180, "all runs to start", every=0.2)
            seconds = time.monotonic() - began
            failed = sum(api.wait_for_run(run)["state"] != "succeeded" for run in runs)
            yield Row("starts", f"of {RUNS} runs on this machine", seconds, "s", floor)
            yield Row("starts", "the same, in seconds", seconds, "s", most=15)
            yield Row("starts", "of them failed", failed, "", most=0)


def all_started(aviary: Aviary, runs: set[int]) -> bool:
    return all(aviary.app.api.run(run)["started_at"] for run in runs)


def by_hand(aviary: Aviary) -> float:
    """Seconds of `git worktree add` and `tmux new-session` for as many, one after the other."""
    began = time.monotonic()
    for number in range(RUNS):
        git(aviary.repo, "worktree", "add", "-q", "-b", f"hand-{number}", f"../hand-{number}", "main")
        aviary.app.tmux.run("new-session", "-d", "-s", f"hand-{number}", "-c", f"{aviary.repo}", "sleep 600")
    return time.monotonic() - began
