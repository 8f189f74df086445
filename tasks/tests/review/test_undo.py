"""Taking back what a train merged: main returns, or gets one commit; nobody else's work goes with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.tests.lab.repos import commit_file, git
from tasks.models import MergeTrain, Task
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import merge, ride, states
from tasks.trains import jobs
from tasks.trains import services as trains
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo, check_command=CHECK), history


def test_a_train_is_undone_as_if_it_had_never_been(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    before = git(history.repo, "rev-parse", "main")
    (history.repo / "part000/file00040.txt").write_text("mine\n")
    train = merge(workspace, tasks.values())
    after = git(history.repo, "rev-parse", "main")

    trains.undo_train(train)
    assert ride(train).state == "undone"

    assert git(history.repo, "rev-parse", "main") == before
    assert (history.repo / "part000/file00040.txt").read_text() == "mine\n"
    assert after in git(history.repo, "for-each-ref", "refs/aitask/trains")
    assert set(Task.objects.filter(status="review")) == set(tasks.values())
    assert states(merge(workspace, tasks.values())) == ["merged", "merged"]


def test_what_was_built_upon_is_undone_by_one_commit(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", {"two.txt": "2\n"})])
    train = merge(workspace, tasks.values())
    later = commit_file(history.repo, "later.txt", "later\n")

    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason

    assert git(history.repo, "rev-parse", "main^") == later
    assert not (history.repo / "two.txt").exists()
    assert (history.repo / "later.txt").exists()
    assert git(history.repo, "log", "-1", "--format=%s") == f"Undo merge train {train.pk}"


@pytest.mark.parametrize("holder", ["refs/remotes/origin/main", "refs/heads/next", "refs/tags/v1"])
def test_what_was_built_upon_elsewhere_does_not_come_back_with_it(
    shop: tuple[Workspace, History], holder: str
) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    train = merge(workspace, tasks.values())
    git(history.repo, "update-ref", holder, "main")

    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason

    assert git(history.repo, "rev-parse", "main^") == train.tip


def test_a_rebased_branch_that_is_main_itself_is_nothing_built_upon_it(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    train = merge(
        workspace, make_tasks(workspace, history, [("one", changed(1, 2, "x"))]).values(), strategy="rebase"
    )
    assert train.tip == git(history.repo, "rev-parse", "one")

    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason

    assert git(history.repo, "rev-parse", "main") == train.old_tip


@pytest.mark.parametrize("during", ["one", "two"])
def test_what_a_person_commits_during_a_train_outlives_its_undo(
    shop: tuple[Workspace, History], tmp_path: Path, during: str
) -> None:
    workspace, history = shop
    git(history.repo, "switch", "-q", "-c", "elsewhere")
    commit = f"$(git -C '{history.repo}' commit-tree -p main -m 'By hand' 'main^{{tree}}')"
    move = f"git -C '{history.repo}' update-ref refs/heads/main {commit} && touch '{tmp_path}/moved'"
    workspace.check_command = f"test -e '{tmp_path}/moved' || ! test -e {during}.txt || {{ {move}; }}"
    workspace.save()
    files = [("one", {"one.txt": "1\n"}), ("two", {"two.txt": "2\n"})]
    train = merge(workspace, make_tasks(workspace, history, files).values())
    assert states(train) == ["merged", "merged"]

    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason

    assert "By hand" in git(history.repo, "log", "--format=%s", "main")
    assert not git(history.repo, "ls-tree", "--name-only", "main", "one.txt", "two.txt")


def test_an_undo_that_meets_staged_work_says_so(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    train = merge(workspace, tasks.values())
    (history.repo / "part000/file00040.txt").write_text("mine\n")
    git(history.repo, "add", "part000/file00040.txt")

    trains.undo_train(train)
    assert ride(train).state == "stopped"
    assert "staged" in train.reason
    assert git(history.repo, "rev-parse", "main") == train.tip


def with_a_long_check(shop: tuple[Workspace, History], tmp_path: Path) -> MergeTrain:
    """A train that is being undone by a commit whose check takes a while."""
    workspace, history = shop
    workspace.check_command = f"test -e one.txt || {{ echo begun >>'{tmp_path}/checks'; sleep 1.5; }}"
    workspace.save()
    train = merge(workspace, make_tasks(workspace, history, [("one", {"one.txt": "1\n"})]).values())
    commit_file(history.repo, "later.txt", "later\n")
    trains.undo_train(train)
    jobs.run_train(train.pk, patience=0.2)
    train.refresh_from_db()
    assert train.state == "undoing"
    return train


def test_a_long_check_of_an_undo_does_not_hold_a_worker(
    shop: tuple[Workspace, History], tmp_path: Path
) -> None:
    train = with_a_long_check(shop, tmp_path)
    assert ride(train).state == "undone", train.reason
    assert (tmp_path / "checks").read_text() == "begun\n"
    assert git(shop[1].repo, "rev-parse", "main") == train.undo_commit


def test_an_undo_can_be_stopped_while_it_is_checked(shop: tuple[Workspace, History], tmp_path: Path) -> None:
    train = with_a_long_check(shop, tmp_path)
    before = git(shop[1].repo, "rev-parse", "main")
    trains.stop_train(train)
    assert ride(train).state == "stopped"
    assert "stopped" in train.reason
    assert git(shop[1].repo, "rev-parse", "main") == before
