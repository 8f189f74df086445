"""Adopted worktrees: runs work in them, and conflicts are resolved and judged there."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git
from tasks.models import Resolution, Run, Task, Verdict
from tasks.repository import site_of
from tasks.runs.launch import worktree
from tasks.tests.review.branches import small_repo, workspace_of
from tasks.tests.review.riding import merge, states
from tasks.trains import after_run, conflicts
from tasks.worktrees import services as worktrees
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db
SHARED = "part000/file00001.txt"


@pytest.fixture
def adopted(home: Path, tmp_path: Path) -> Task:
    history = small_repo(tmp_path / "shop")
    workspace = workspace_of(history.repo)
    tree = tmp_path / "by hand"
    git(history.repo, "worktree", "add", "-q", "-b", "mine", str(tree))
    commit_file(tree, "work.txt", "precious\n")
    commit_file(tree, SHARED, "mine\n")
    commit_file(history.repo, SHARED, "main's\n")
    return worktrees.adopt(workspace, str(tree), user=None)


def started(task: Task) -> Task:
    """Return the task as it is after a worker has prepared the worktree of a run."""
    worktree(Task.objects.get(pk=task.pk), site_of(task.workspace))
    return Task.objects.get(pk=task.pk)


def finish(run: Run) -> Resolution:
    Run.objects.filter(pk=run.pk).update(state=Run.State.SUCCEEDED)
    after_run.inspect_branch(run.task_id)
    return Resolution.objects.get(task=run.task_id)


def test_a_run_works_in_the_adopted_worktree(adopted: Task) -> None:
    again = started(adopted)
    assert (again.worktree_path, again.branch) == (adopted.worktree_path, "mine")
    assert again.base_commit == adopted.base_commit


def test_an_agent_resolves_the_conflict_of_the_adopted_branch(adopted: Task) -> None:
    run = conflicts.resolve(adopted, user=None)
    task = started(adopted)
    Path(task.worktree_path, SHARED).write_text("both\n")

    assert finish(run).state == "ready"
    assert states(merge(task.workspace, [task])) == ["merged"]
    assert git(Path(task.workspace.repo_path), "show", "main:work.txt") == "precious"


def test_an_agent_that_does_nothing_resolves_nothing(adopted: Task) -> None:
    run = conflicts.resolve(adopted, user=None)
    task = started(adopted)

    assert finish(run).state == "failed"
    assert states(merge(task.workspace, [task])) == ["conflict"]
    assert not Verdict.objects.filter(task=task).exists()


def test_a_branch_that_lost_its_work_is_not_resolved(adopted: Task) -> None:
    run = conflicts.resolve(adopted, user=None)
    tree = Path(adopted.worktree_path)
    git(tree, "merge", "--abort")
    git(tree, "reset", "-q", "--hard", "main")

    resolution = finish(run)

    assert resolution.state == "failed"
    assert "does not contain the work" in resolution.reason


def test_a_branch_that_was_deleted_starts_anew_and_is_not_called_merged(adopted: Task) -> None:
    repo = Path(adopted.workspace.repo_path)
    git(repo, "worktree", "remove", adopted.worktree_path)
    git(repo, "branch", "-q", "-D", "mine")
    task = started(adopted)

    assert task.base_commit == git(repo, "rev-parse", "main")
    assert states(merge(task.workspace, [task])) == ["nothing"]
    assert not Verdict.objects.filter(task=task).exists()


def test_a_worktree_of_another_installation_is_not_adopted(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "shop")
    workspace: Workspace = workspace_of(history.repo)
    tree = tmp_path / "theirs"
    git(history.repo, "worktree", "add", "-q", "-b", "theirs", str(tree))
    mark = Path(git(tree, "rev-parse", "--absolute-git-dir")) / "aitask.json"
    mark.write_text('{"installation": "ffffffff", "task": 1}')

    with pytest.raises(Refused, match="another installation"):
        worktrees.adopt(workspace, str(tree), user=None)
    assert not Task.objects.exists()


def test_a_copied_virtual_environment_names_the_folder_that_it_uses(adopted: Task) -> None:
    workspace = adopted.workspace
    workspace.copy_files = ".venv\n"
    workspace.save()
    repo = Path(workspace.repo_path)
    (repo / ".venv").mkdir()
    (repo / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")

    tree = worktree(Task.objects.get(pk=adopted.pk), site_of(workspace))

    (notice,) = tree.notices
    assert ".venv was copied" in notice
    assert str(repo) in notice
