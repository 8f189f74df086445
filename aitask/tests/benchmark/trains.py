"""A hundred branches merged by one train, with each strategy, against our own merges of the same branches."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App

BRANCHES, FILES, ROUNDS = 100, 2000, 3
FLOOR = "merge"
STRATEGIES = {"squash": 1.3, "rebase": None}
"Each with its goal, if it has one."


def measure() -> Iterator[Row]:
    with App() as app, tempfile.TemporaryDirectory() as folder:
        command = [*app.python, "-m", "aitask.tests.benchmark.trains", folder, str(BRANCHES), str(ROUNDS)]
        environment = app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"}
        done = subprocess.run(
            command, cwd=app.project, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        yield Row("trains", f"{FLOOR} of {BRANCHES} branches", seconds[FLOOR], "s")
        for strategy, most in STRATEGIES.items():
            name = f"{strategy} of the same"
            yield Row("trains", name, seconds[strategy], "s", floor=seconds[FLOOR], most=most)


def ride(folder: Path, branches: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of a train of each strategy, from the same start, in turns."""
    from aitask.tests.lab.repos import git
    from tasks.models import Task, Verdict
    from tasks.tests.review.branches import make_tasks, small_repo, twenty, workspace_of
    from tasks.tests.review.riding import merge, states

    history = small_repo(folder / "repo", FILES)
    workspace = workspace_of(history.repo)
    tasks = list(make_tasks(workspace, history, twenty(0, 0, branches)).values())
    start = git(history.repo, "rev-parse", "main")
    merge(workspace, tasks[:1], dry_run=True)  # the merge worktree is there from now on
    times: dict[str, list[float]] = {FLOOR: [], **{strategy: [] for strategy in STRATEGIES}}
    for _ in range(rounds):
        for strategy, found in times.items():
            git(history.repo, "reset", "-q", "--keep", start)
            Verdict.objects.all().delete()
            Task.objects.update(status=Task.Status.REVIEW)
            train = merge(workspace, tasks, strategy=strategy)
            assert states(train) == ["merged"] * branches
            assert train.started_at
            assert train.finished_at
            found.append((train.finished_at - train.started_at).total_seconds())
    return {strategy: statistics.median(found) for strategy, found in times.items()}


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(ride(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
