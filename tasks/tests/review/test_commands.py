"""The commands: what they say, and their exit status."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from aitask.tests.lab.repos import git
from tasks.review import verdicts
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo, name="shop"), history


def merge(*words: str) -> str:
    out = StringIO()
    call_command("merge_worktrees", "--workspace", "shop", *words, stdout=out)
    return out.getvalue()


def test_accepted_tasks_are_merged_and_taken_back_by_command(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    before = git(history.repo, "rev-parse", "main")
    files = [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))]
    tasks = make_tasks(workspace, history, files)
    verdicts.accept(tasks["one"], user=None)

    said = merge()

    assert "✓ Merged" in said
    assert "1 of 1 merged" in said
    assert "Do two" not in said
    train = workspace.trains.get()
    merge("--undo", str(train.pk))
    assert git(history.repo, "rev-parse", "main") == before


def test_what_is_left_out_makes_the_command_fail(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    files = [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y")), ("three", changed(3, 3, "z"))]
    tasks = make_tasks(workspace, history, files)

    with pytest.raises(CommandError, match="1 left out"):
        merge("--all")
    with pytest.raises(CommandError, match="no task 99"):
        merge("--task", "99")
    assert "would merge" in merge("--task", str(tasks["three"].pk), "--dry-run")


def test_nothing_to_merge_is_said(shop: tuple[Workspace, History]) -> None:
    with pytest.raises(CommandError, match="nothing to merge"):
        merge()
    with pytest.raises(CommandError, match="no workspace named nowhere"):
        call_command("merge_worktrees", "--workspace", "nowhere")


def test_pruning_lists_first_and_removes_only_what_is_finished(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    for branch, task in tasks.items():
        task.worktree_path = str(history.repo.parent / branch)
        task.save()
        git(history.repo, "worktree", "add", "-q", task.worktree_path, branch)
    merge("--task", str(tasks["one"].pk))

    out = StringIO()
    call_command("prune_worktrees", "--workspace", "shop", stdout=out)
    assert "remove" in out.getvalue()
    assert Path(tasks["one"].worktree_path).exists()

    call_command("prune_worktrees", "--workspace", "shop", "--yes", stdout=out)
    assert not Path(tasks["one"].worktree_path).exists()
    assert Path(tasks["two"].worktree_path).exists()
    assert git(history.repo, "for-each-ref", "--format=x", f"refs/aitask/rescue/{tasks['one'].pk}") == "x"
