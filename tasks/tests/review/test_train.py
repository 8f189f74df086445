"""Twenty branches by one command, in repositories as people have them: main gets exactly the good ones."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from aitask.tests.lab.repos import ODD_NAME, git, make_repo
from tasks.models import Task
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, twenty, workspace_of
from workspaces.tests.merging.repos import History, first_parent_subjects

pytestmark = pytest.mark.django_db
DIRTY = "part000/file00049.txt"
MakeHistory = Callable[[Path], History]


def oddly_named_and_dirty(folder: Path) -> History:
    history = small_repo(folder / ODD_NAME)
    (history.repo / DIRTY).write_text("a person was at it\n")
    return history


def bare(folder: Path) -> History:
    small_repo(folder / "full")
    git(folder, "clone", "-q", "--bare", "full", "bare.git")
    return History(folder / "bare.git")


def with_a_submodule(folder: Path) -> History:
    history = small_repo(folder / "repo")
    make_repo(folder / "part")
    git(history.repo, "submodule", "--quiet", "add", str(folder / "part"), "parts")
    git(history.repo, "commit", "-q", "-m", "Add a submodule")
    return history


KINDS: dict[str, tuple[MakeHistory, str]] = {
    "oddly named, checked out and dirty": (oddly_named_and_dirty, CHECK),
    "bare": (bare, CHECK),
    "with a submodule": (with_a_submodule, f"{CHECK} && test -f parts/src/main.py"),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_exactly_the_good_ones_reach_main(home: Path, tmp_path: Path, kind: str) -> None:
    (home / ".gitconfig").write_text("[protocol.file]\n\tallow = always\n")
    make, check = KINDS[kind]
    history = make(tmp_path)
    repo, before = history.repo, git(history.repo, "rev-parse", "main")
    workspace = workspace_of(repo, name="shop", check_command=check)
    tasks = make_tasks(workspace, history, twenty())

    out = StringIO()
    with pytest.raises(CommandError, match="6 left out"):
        call_command("merge_worktrees", "--workspace", "shop", "--all", stdout=out)

    train = workspace.trains.get()
    assert train.state == "finished", train.reason
    expected = ["merged" if "good" in b else "conflict" if "conflict" in b else "check_failed" for b in tasks]
    assert [step.state for step in train.steps.all()] == expected, out.getvalue()
    good = [task for branch, task in tasks.items() if "good" in branch]
    assert len(good) == 14
    assert first_parent_subjects(repo, before) == [f"{task.title} (task {task.pk})" for task in good]
    assert git(repo, "fsck", "--no-dangling") == ""
    assert set(Task.objects.filter(status="done")) == set(good)
    if "dirty" in kind:
        assert (repo / DIRTY).read_text() == "a person was at it\n"
        assert git(repo, "status", "--porcelain", "-uno").split() == ["M", DIRTY]
