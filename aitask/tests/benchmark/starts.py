"""A hundred runs that may all start at once, against the same worktrees and windows made by hand."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from aitask.tests.benchmark.idle import megabytes
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab import processes
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.aviary import Aviary

RUNS, STAY, ONE_BY_ONE = 100, "stay", 10


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        aviary = Aviary(Path(folder))
        with aviary.app:
            aviary.open()
            aviary.run("the first one, which puts hostkit there")
            yield alone(aviary)
            floor = by_hand(aviary)
            api = aviary.app.api
            api.patch(f"/api/workspaces/{aviary.workspace}", {"max_parallel_runs": RUNS})
            tasks = [api.add_task(aviary.workspace, STAY, "parrot")["id"] for _ in range(RUNS)]
            began = time.monotonic()
            runs = {api.run_task(task)["id"] for task in tasks}
            wait_for(lambda: at_work(aviary) == RUNS, 180, "all runs to start", every=0.3)
            seconds = time.monotonic() - began
            failed = sum(api.run(run)["state"] != "running" for run in runs)
            yield Row("starts", f"of {RUNS} runs on this machine", seconds, "s", floor)
            yield Row("starts", "the same, in seconds", seconds, "s", most=15)
            yield Row("starts", "of them not running", failed, "", most=0)
            beside = beside_agents(aviary)
            memory = sum(map(megabytes, beside)) / RUNS
            yield Row("starts", "host memory of a run, but its agent", memory, "MB", most=9)
            used = 1000 * sum(map(processes.cpu_seconds, beside)) / RUNS
            yield Row("starts", "CPU of what is beside it, since its start", used, "ms")


def alone(aviary: Aviary) -> Row:
    """From Run to the agent's process, on a host that has nothing else to do."""
    api, times = aviary.app.api, []
    for _ in range(ONE_BY_ONE):
        task = api.add_task(aviary.workspace, "Say hello", "parrot", model="quiet")
        pressed = time.time()
        run = api.wait_for_run(api.run_task(task["id"])["id"])
        (started,) = [event for event in api.events(run["id"]) if event["kind"] == "started"]
        times.append(1000 * (datetime.fromisoformat(started["at"]).timestamp() - pressed))
    return Row("starts", "from Run to the agent's process", statistics.median(times), "ms")


def at_work(aviary: Aviary) -> int:
    """How many agents work, by one small request: the web process shares the machine with the starts."""
    found = aviary.app.api.get(f"/api/tasks?workspace={aviary.workspace}&status=running&limit=1000")
    return sum(task["badge"] == "working" for task in found["items"])


def beside_agents(aviary: Aviary) -> list[int]:
    """What runs on the host beside agents: windows, guards, runners, recorders, and the fork server."""
    commands = {pid: processes.command_of(pid) for pid in aviary.app.leftovers()}
    return [pid for pid, command in commands.items() if is_beside(command)]


def is_beside(command: str) -> bool:
    is_recorder = "pane.raw" in command or command.startswith("dd bs=")
    return is_recorder or ("hostkit" in command and "serve" not in command.split())


def by_hand(aviary: Aviary) -> float:
    """Seconds of `git worktree add` and `tmux new-session` for as many, one after the other."""
    began = time.monotonic()
    for number in range(RUNS):
        git(aviary.repo, "worktree", "add", "-q", "-b", f"hand-{number}", f"../hand-{number}", "main")
        aviary.app.tmux.run("new-session", "-d", "-s", f"hand-{number}", "-c", f"{aviary.repo}", "sleep 600")
    return time.monotonic() - began
