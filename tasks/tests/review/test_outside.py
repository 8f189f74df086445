"""Changes outside a run: what is shown on its card, and putting branches back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git
from tasks.board import queries
from tasks.models import MergeTrain, OutsideChange, Run, Task, Verdict
from tasks.rendering.outside import in_words
from tasks.runs import hooks
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import merge, ride
from tasks.trains import outside
from tasks.trains import services as trains
from workspaces.hostkit import wire
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

MAIN = "refs/heads/main"


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo), history


def live_run(workspace: Workspace) -> Run:
    task = make_task(workspace=workspace, branch="aitask/live", status=Task.Status.RUNNING)
    return make_run(task=task, state="running")


def report(run: Run, change: str, name: str, **fields: Any) -> list[OutsideChange]:
    """Let the host report a change; return what is shown of the run then."""
    event = {"kind": "outside", "change": change, "name": name, **fields}
    hooks.events_saved(run, [cast("wire.RunEvent", event)])
    return list(run.outside_changes.filter(state="open"))


def marks(run: Run) -> list[str]:
    board = queries.board(run.task.workspace.owner)
    (card,) = [card for column in board.columns for card in column.cards if card.task == run.task]
    return [mark.text for mark in card.marks]


def test_a_switched_main_worktree_is_named_until_it_is_switched_back(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    run, where = live_run(workspace), str(history.repo)
    report(run, "head", where, old="main", new="other")
    (change,) = report(run, "head", where, old="other", new="x" * 300)
    assert in_words(change).startswith(f"{where} was switched from main to xxx")
    assert not report(run, "head", where, old="x" * 300, new="main")


def moved_main(run: Run, repo: Path) -> OutsideChange:
    """Move main as an agent would in its sandbox: without the files of the main worktree."""
    old = git(repo, "rev-parse", "main")
    new = git(repo, "commit-tree", "-p", old, "-m", "mine", git(repo, "rev-parse", "main^{tree}"))
    git(repo, "update-ref", MAIN, new)
    (change,) = report(run, "branch", MAIN, old=old, new=new)
    return change


def test_a_moved_base_branch_is_on_the_card_until_it_is_put_back(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    run = live_run(workspace)
    change = moved_main(run, history.repo)
    assert marks(run) == ["main moved"]

    said = outside.put_back(change, user=workspace.owner)

    assert git(history.repo, "rev-parse", "main") == change.old
    assert change.new in git(history.repo, "for-each-ref", f"refs/aitask/rescue/{run.task_id}")
    assert "refs/aitask/rescue" in said
    assert marks(run) == []


@pytest.mark.parametrize("how", ["update-ref", "merge", "reset"])
def test_putting_back_keeps_uncommitted_files(shop: tuple[Workspace, History], how: str) -> None:
    workspace, history = shop
    repo, run = history.repo, live_run(workspace)
    make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    old, new = git(repo, "rev-parse", "main"), git(repo, "rev-parse", "one")
    (repo / "part000/file00040.txt").write_text("mine\n")
    (repo / "loose.txt").write_text("mine too\n")
    if how == "update-ref":
        git(repo, "update-ref", MAIN, new)
    elif how == "merge":
        git(repo, "merge", "-q", "--ff-only", new)
    else:
        old, new = commit_file(repo, "lost.txt", "x\n"), old
        git(repo, "reset", "-q", "--keep", new)
    (change,) = report(run, "branch", MAIN, old=old, new=new)

    outside.put_back(change, user=workspace.owner)

    assert git(repo, "rev-parse", "main") == old
    assert git(repo, "status", "--porcelain").split("\n") == [" M part000/file00040.txt", "?? loose.txt"]
    assert (repo / "lost.txt").exists() == (how == "reset")


def test_work_on_top_and_staged_files_are_not_overwritten(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    run = live_run(workspace)
    old = git(history.repo, "rev-parse", "main")
    new = commit_file(history.repo, "a.txt", "agent\n")
    (change,) = report(run, "branch", MAIN, old=old, new=new)
    (history.repo / "staged.txt").write_text("mine\n")
    git(history.repo, "add", "staged.txt")
    with pytest.raises(Refused, match="staged"):
        outside.put_back(change, user=workspace.owner)
    git(history.repo, "commit", "-q", "-m", "mine")
    with pytest.raises(Refused, match="moved on"):
        outside.put_back(change, user=workspace.owner)
    assert git(history.repo, "show", "main:staged.txt") == "mine"
    assert marks(run) == ["main moved"]


def test_a_deleted_branch_comes_back(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tip = git(history.repo, "rev-parse", "main")
    (change,) = report(live_run(workspace), "branch", "refs/heads/release/1", old=tip, new="")
    outside.put_back(change, user=workspace.owner)
    assert git(history.repo, "rev-parse", "release/1") == tip


def test_what_a_train_and_its_undo_move_is_not_reported(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    run, old = live_run(workspace), git(history.repo, "rev-parse", "main")
    train = merge(workspace, tasks.values())
    new = git(history.repo, "rev-parse", "main")
    assert report(run, "branch", MAIN, old=old, new=new) == []
    trains.undo_train(train)
    assert ride(train).state == MergeTrain.State.UNDONE
    assert report(run, "branch", MAIN, old=new, new=old) == []


def test_a_move_below_a_train_is_told_apart_from_the_train(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    run, old = live_run(workspace), git(history.repo, "rev-parse", "main")
    between = commit_file(history.repo, "between.txt", "x\n")
    merge(workspace, tasks.values())
    (change,) = report(run, "branch", MAIN, old=old, new=git(history.repo, "rev-parse", "main"))
    assert (change.old, change.new) == (old, between)


def test_two_moves_are_one_change_and_a_move_back_is_none(shop: tuple[Workspace, History]) -> None:
    run = live_run(shop[0])
    one, two, three = ("1" * 40, "2" * 40, "3" * 40)
    report(run, "branch", MAIN, old=one, new=two)
    (change,) = report(run, "branch", MAIN, old=two, new=three)
    assert (change.old, change.new) == (one, three)
    assert report(run, "branch", MAIN, old=three, new=one) == []


def test_the_branch_of_a_task_that_works_at_the_same_time_is_its_own(shop: tuple[Workspace, History]) -> None:
    workspace, _ = shop
    run = live_run(workspace)
    busy = make_task(workspace=workspace, branch="aitask/busy")
    make_run(task=busy, state="running")
    idle = make_task(workspace=workspace, branch="aitask/idle")
    moved = {"old": "1" * 40, "new": "2" * 40}
    assert report(run, "branch", "refs/heads/aitask/busy", **moved) == []
    (change,) = report(run, "branch", f"refs/heads/{idle.branch}", **moved)
    assert change.branch == "aitask/idle"


def test_the_commit_of_a_run_that_ended_while_this_one_was_started_is_its_own(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    old = git(history.repo, "rev-parse", "main")
    new = git(
        history.repo, "commit-tree", "-p", old, "-m", "its own", git(history.repo, "rev-parse", "main^{tree}")
    )
    other = make_run(
        task=make_task(workspace=workspace, branch="aitask/other"), state="succeeded", commit=new
    )
    run = live_run(workspace)
    Run.objects.filter(pk=other.pk).update(finished_at=run.queued_at - timedelta(seconds=1))
    assert not report(run, "branch", "refs/heads/aitask/other", old=old, new=new)
    later = git(history.repo, "commit-tree", "-p", new, "-m", "not its own", f"{new}^{{tree}}")
    assert report(run, "branch", "refs/heads/aitask/other", old=new, new=later)


def test_branches_of_other_installations_are_theirs(shop: tuple[Workspace, History]) -> None:
    moved = {"old": "1" * 40, "new": "2" * 40}
    assert report(live_run(shop[0]), "branch", "refs/heads/aitask/77-elsewhere", **moved) == []


@pytest.mark.parametrize("kind", ["merged", "dropped"])
def test_a_branch_that_goes_with_its_worktree_is_not_shown(
    shop: tuple[Workspace, History], kind: str
) -> None:
    run = live_run(shop[0])
    task = make_task(workspace=shop[0], branch="aitask/gone")
    report(run, "branch", f"refs/heads/{task.branch}", old="1" * 40, new="")
    assert marks(run) == ["aitask/gone deleted"]
    Verdict.objects.create(task=task, kind=kind)
    assert marks(run) == []


@pytest.mark.parametrize(
    "forged",
    [
        {"name": "HEAD", "old": "1" * 40, "new": "2" * 40},
        {"name": "refs/tags/v1", "old": "1" * 40, "new": "2" * 40},
        {"name": MAIN, "old": "--upload-pack=x", "new": "2" * 40},
        {"name": MAIN, "old": "", "new": "2" * 40},
    ],
)
def test_a_forged_event_can_not_name_other_refs(
    shop: tuple[Workspace, History], forged: dict[str, str]
) -> None:
    assert report(live_run(shop[0]), "branch", **forged) == []


def test_files_elsewhere_are_collected_and_dismissed(shop: tuple[Workspace, History]) -> None:
    run = live_run(shop[0])
    report(run, "files", "/srv/repo", paths=["a", "\x1b[2Jb"], by_run=False)
    (change,) = report(run, "files", "/srv/repo", paths=["a", "c"], by_run=True)
    assert (change.paths, change.by_run) == (["a", "\x1b[2Jb", "c"], True)
    assert marks(run) == ["files changed elsewhere"]
    with pytest.raises(Refused):
        outside.put_back(change, user=shop[0].owner)
    outside.keep_change(change, user=shop[0].owner)
    assert marks(run) == []


def test_a_train_that_is_in_the_way_of_such_files_names_the_run(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    (path,) = changed(1, 2, "x")
    run = live_run(workspace)
    report(run, "files", str(history.repo), paths=[path])
    (history.repo / path).write_text("by an agent\n")
    train = merge(workspace, [task])
    assert train.state == MergeTrain.State.STOPPED
    assert f"changed while run 1 of task #{run.task_id} was going on" in train.reason
    assert (history.repo / path).read_text() == "by an agent\n"


@pytest.mark.parametrize("verb", ["keep", "put-back"])
def test_a_stranger_can_not_decide(people: People, verb: str) -> None:
    run = make_run(task=people.task, state="running")
    (change,) = report(run, "branch", MAIN, old="1" * 40, new="2" * 40)
    path = f"/outside-changes/{change.pk}/{verb}"
    assert send(people.browser("stranger"), path).status_code == 404
    assert people.browser("owner").get(path).status_code == 405
    change.refresh_from_db()
    assert change.state == "open"


def test_the_task_page_shows_the_change_with_its_verbs(people: People) -> None:
    run = make_run(task=people.task, state="running")
    (change,) = report(run, "branch", MAIN, old="1" * 40, new="2" * 40)
    report(run, "config", "", paths=["filter.<b>.clean"])
    page = people.browser("member").get(f"/tasks/{people.task.pk}").content.decode()
    assert "main was moved outside a merge train while this run was going on: 1111111111..2222222222" in page
    assert f"/outside-changes/{change.pk}/put-back" in page
    assert f"/workspaces/{people.workspace.pk}/git" in page
    assert "filter.<b>" not in page
    assert send(people.browser("member"), f"/outside-changes/{change.pk}/keep").status_code == 204
    side = people.browser("member").get(f"/tasks/{people.task.pk}/side").content.decode()
    assert "/put-back" not in side
