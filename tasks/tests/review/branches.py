"""Tasks whose branches exist, as agents would have left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aitask.tests.lab.repos import git
from tasks.models import Task
from tasks.tests.factories import make_run, make_task, make_workspace
from workspaces.models import Workspace
from workspaces.tests.merging.repos import Files, History, changed, make_history

GOOD, IN_CONFLICT, FAILING = "good", "conflict", "fail"
CHECK = "grep -q good check.txt"


def workspace_of(repo: Path, **fields: Any) -> Workspace:
    return make_workspace(repo_path=str(repo), **fields)


def task_with(workspace: Workspace, repo: Path, branch: str, **fields: Any) -> Task:
    """A finished task whose branch is there already."""
    ref = f"refs/heads/{branch}"
    fork = git(repo, "merge-base", "main", ref)
    given = {"status": Task.Status.REVIEW, "branch": branch, "base_commit": fork, **fields}
    task = make_task(workspace=workspace, **given)
    make_run(task=task, state="succeeded", commit=git(repo, "rev-parse", ref))
    return task


def make_tasks(
    workspace: Workspace, history: History, branches: Sequence[tuple[str, Files]]
) -> dict[str, Task]:
    """One task for each branch, each with one commit on main as it is now."""
    for branch, files in branches:
        history.commit(branch, files, f"Work on {branch}", parent="main")
    history.write()
    return {
        branch: task_with(workspace, history.repo, branch, title=f"Do {branch}") for branch, _ in branches
    }


def twenty(conflicts: int = 4, failing: int = 2, count: int = 20) -> list[tuple[str, Files]]:
    """Branches of which some change the same line as an earlier one, and some break the check."""
    found: list[tuple[str, Files]] = []
    for number in range(count):
        kind = GOOD
        if number % 5 == 4 and conflicts > 0:
            kind, conflicts = IN_CONFLICT, conflicts - 1
        elif number % 10 == 2 and failing > 0:
            kind, failing = FAILING, failing - 1
        files: Mapping[str, str | bytes | None]
        if kind == IN_CONFLICT:
            files = changed(number - 1, 3, f"{number} wants it otherwise")
        elif kind == FAILING:
            files = {"check.txt": f"bad since {number}\n"}
        else:
            files = {**changed(number, 3, f"{number} was here"), f"new/{number}.txt": f"{number}\n"}
        found.append((f"aitask/{number}-{kind}", files))
    return found


def small_repo(folder: Path, files: int = 50) -> History:
    history = make_history(folder, files)
    history.write()
    git(folder, "reset", "-q", "--hard", "main")
    return history
