"""A program: runs merge trains in processes that are killed at random; prints what was seen as JSON.

`python -m tasks.tests.review.killing FOLDER KILLS SEED [STRATEGY]`, with DATA_DIR set to a migrated database.
How many kills fall within one train depends on the speed of the machine. Further trains follow, each in a
repository of its own in FOLDER, until there were KILLS of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django

MAX_ROUNDS = 400


def main(folder: Path, kills: int, seed: int, strategy: str = "merge") -> list[dict[str, Any]]:
    """What was seen of each train, as a list of dictionaries."""
    dice = random.Random(seed)
    trains: list[dict[str, Any]] = []
    while (left := kills - sum(train["kills"] for train in trains)) > 0:
        folder_of_train = folder / f"train{len(trains)}"
        folder_of_train.mkdir(parents=True)
        trains.append(one_train(folder_of_train / "repo", left, dice, strategy))
        if not trains[-1]["kills"]:
            raise RuntimeError("No kill fell within the last train.")
    return trains


def one_train(repo: Path, kills: int, dice: random.Random, strategy: str) -> dict[str, Any]:
    """Kill the process of a train at most `kills` times, then let the train finish."""
    train, log = prepare(repo, strategy)
    seen: dict[str, Any] = {"repo": str(repo), "kills": 0, "unchecked": [], "states": []}
    first = tip(repo)
    longest, before = 0.6, 99
    for _ in range(MAX_ROUNDS):
        seconds = dice.uniform(0.05, longest) if seen["kills"] < kills else 120
        ended = run_for(train, seconds)
        seen["kills"] += not ended
        if tip(repo) not in {first, *checked(log)}:
            seen["unchecked"].append(tip(repo))
        state, waiting = look(train)
        seen["states"].append(state)
        if state not in ("queued", "running"):
            break
        # kill sooner after each step that was made, so that many kills fall within the train
        longest = max(0.08, longest * 0.65) if waiting < before else longest * 1.1
        before = waiting
    return {**seen, **report(train, repo), "checked": checked(log), "first": first}


def prepare(repo: Path, strategy: str) -> tuple[int, Path]:
    from tasks.tests.review.branches import CHECK, make_tasks, small_repo, twenty, workspace_of
    from tasks.trains import services as trains

    history = small_repo(repo)
    log = repo.parent / "checked"
    log.touch()
    command = f'{CHECK} && sleep 0.05 && git rev-parse HEAD >> "$CHECKED"'
    workspace = workspace_of(repo, check_command=command, environment={"CHECKED": str(log)})
    tasks = make_tasks(workspace, history, twenty())
    (repo / "part000/file00049.txt").write_text("a person was at it\n")
    train = trains.start_train(workspace, list(tasks.values()), user=None, strategy=strategy)
    from django.db import connections

    from workspaces import hosts

    hosts.close_all()
    connections.close_all()
    return train.pk, log


def run_for(train: int, seconds: float) -> bool:
    """Whether a process of its own ended before it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            from tasks.trains import jobs

            jobs.run_train(train, patience=60)
            status = 0
        finally:
            os._exit(status)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, _ = os.waitpid(child, os.WNOHANG)
        if pid:
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def look(train: int) -> tuple[str, int]:
    from django.db import connections

    from tasks.models import MergeStep, MergeTrain

    row = MergeTrain.objects.get(pk=train)
    waiting = row.steps.filter(state__in=MergeStep.OPEN).count()
    connections.close_all()
    return row.state, waiting


def report(train: int, repo: Path) -> dict[str, Any]:
    from tasks.models import MergeTrain

    row = MergeTrain.objects.get(pk=train)
    steps = [{"state": step.state, "title": step.title, "task": step.task_id} for step in row.steps.all()]
    return {"state": row.state, "reason": row.reason, "steps": steps, "tip": tip(repo)}


def tip(repo: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "refs/heads/main"], cwd=repo, capture_output=True, text=True, check=True
    ).stdout.strip()


def checked(log: Path) -> list[str]:
    return log.read_text().split()


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])))
