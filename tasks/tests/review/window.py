"""A workspace with real branches for browser tests and screenshots: odd files, a conflict, a long line."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User

from aitask.tests.lab.repos import git
from tasks.models import Radar, Task
from tasks.review import verdicts
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from tasks.trains import jobs, overlap
from tasks.trains import services as trains
from workspaces.tests.merging.repos import Files, History, changed

CODE = '''\
"""Totals of an invoice."""


def total(lines):
    """What is to be paid."""
    return sum(line.amount for line in lines)
'''
MANY = 5_000
TITLES = {
    "rounding": "Round amounts half to even everywhere",
    "currencies": "Show amounts in the customer's currency",
    "log": "Log queries that take longer than 200 ms",
    "many": "Format all files",
    "line": "Check in the recorded answer as one line",
    "check": "Drop the old totals",
}


def build(folder: str, owner: str) -> dict[str, int]:
    """Task by short name → its number; the workspace is called `invoices`."""
    history = small_repo(Path(folder) / "invoices", 40)
    history.commit("main", {"invoice/totals.py": CODE}, "Totals", parent="main").write()
    git(history.repo, "reset", "-q", "--hard", "main")
    workspace = workspace_of(
        history.repo,
        name="invoices",
        owner=User.objects.get(username=owner),
        check_command="grep -q good check.txt && echo 31 tests passed",
    )
    tasks = {}
    for name, files in work().items():
        history.commit(name, files, f"{TITLES[name]}", parent="main").write()
        tasks[name] = task_with(workspace, history.repo, name, title=TITLES[name], **sizes(name))
    _with_worktree(history, tasks["rounding"])
    verdicts.accept(tasks["log"], user=workspace.owner)
    overlap.enqueue_check(workspace.pk)
    overlap.check_overlaps(Radar.objects.get(workspace=workspace).pk)
    return {"workspace": workspace.pk, **{name: task.pk for name, task in tasks.items()}}


def sizes(name: str) -> dict[str, int]:
    files = MANY if name == "many" else len(work()[name])
    return {"files_changed": files, "lines_added": files * 3, "lines_deleted": files}


def work() -> dict[str, Files]:
    """What each branch changes."""
    rounded = CODE.replace(
        "sum(line.amount for line in lines)", "rounded(sum(line.amount for line in lines))"
    )
    shown = CODE.replace("return sum(line.amount for line in lines)", "return Money(lines).in_own_currency()")
    return {
        "rounding": {
            "invoice/totals.py": rounded,
            "invoice/rounding.py": "from decimal import ROUND_HALF_EVEN\n",
        },
        "currencies": {"invoice/totals.py": shown, "logo.png": bytes(range(256))},
        "log": {**changed(3, 4, "slow = 200"), "part000/file00004.txt": None, "docs/moved.txt": _text(4)},
        "many": {f"formatted/{n % 70:02}/{n:05}.txt": f"{n}\ntidy\n" for n in range(MANY)},
        "line": {"answer.json": '{"rows": "' + "x" * 5_000_000 + '"}\n'},
        "check": {"check.txt": "bad\n"},
    }


def _text(number: int) -> str:
    return "".join(f"line {line} of {number}\n" for line in range(20))


def _with_worktree(history: History, task: Task) -> None:
    path = history.repo.parent / "invoices.worktrees" / task.branch
    git(history.repo, "worktree", "add", "-q", str(path), task.branch)
    Task.objects.filter(pk=task.pk).update(worktree_path=str(path))


def ride(train_id: int) -> str:
    """A worker's part, which the browser's site does not have; how the train stands afterwards."""
    from tasks.models import MergeTrain

    train = MergeTrain.objects.get(pk=train_id)
    while train.is_live:
        jobs.run_train(train_id, patience=60)
        train.refresh_from_db()
    return str(train.state)


def merge(*tasks: int) -> int:
    """A train of these tasks, ridden to its end."""
    found = [Task.objects.get(pk=pk) for pk in tasks]
    train = trains.start_train(found[0].workspace, found, user=found[0].workspace.owner)
    ride(train.pk)
    return train.pk
