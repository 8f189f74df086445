"""A card on its way to Done: a question first, then a merge, and marks that are true at every moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from aitask.tests.lab.repos import commit_file, git
from tasks.board import queries
from tasks.models import Radar, Task, Verdict
from tasks.review import verdicts
from tasks.tests.factories import make_run, make_user
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import merge, ride
from tasks.trains import overlap, reapply
from tasks.trains import services as trains
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo), history


def drop_on_done(task: Task, **said: str) -> Any:
    client = Client()
    client.force_login(task.workspace.owner)
    headers = {"HX-Request": "true"}
    return client.post(f"/tasks/{task.pk}/move", {"status": "done", **said}, headers=headers)


def marks(task: Task) -> list[str]:
    board = queries.board(task.workspace.owner)
    (card,) = [card for column in board.columns for card in column.cards if card.task == task]
    return [mark.text for mark in card.marks]


def status(task: Task) -> str:
    task.refresh_from_db()
    return task.status


def test_a_merge_is_asked_for_and_the_card_moves_when_main_has_it(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]

    unasked = drop_on_done(task)
    assert unasked.status_code == 409
    assert "not merged into main" in unasked.headers["HX-Trigger"]
    assert (status(task), workspace.trains.count()) == ("review", 0)

    assert drop_on_done(task, merge="yes").status_code == 204
    assert (status(task), marks(task)) == ("review", ["accepted", "merge queued"])
    assert "already" in drop_on_done(task, merge="yes").headers["HX-Trigger"]
    ride(workspace.trains.get())
    assert (status(task), marks(task)) == ("done", ["merged"])
    assert git(history.repo, "log", "-1", "--format=%s", "main") == f"{task.title} (task {task.pk})"


def test_what_is_done_without_merging_says_so(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    assert drop_on_done(task, merge="no").status_code == 204
    assert (status(task), marks(task)) == ("done", ["not merged"])


def test_a_task_without_a_branch_needs_no_question(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    Task.objects.filter(pk=task.pk).update(branch="")
    assert drop_on_done(task).status_code == 204
    assert (status(task), marks(task)) == ("done", [])


def test_a_merge_that_fails_leaves_the_card_where_it_is_and_says_why(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y"))])
    merge(workspace, [tasks["one"]])
    drop_on_done(tasks["two"], merge="yes")
    ride(workspace.trains.first())  # type: ignore[arg-type]
    assert (status(tasks["two"]), marks(tasks["two"])) == ("review", ["accepted", "conflict"])

    make_run(task=tasks["two"], state="succeeded", finished_at=timezone.now())
    assert marks(tasks["two"]) == ["accepted"]


def test_the_board_is_drawn_anew_when_only_its_marks_change(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y"))])
    versions = [queries.board(workspace.owner).version]
    overlap.enqueue_check(workspace.pk)
    overlap.check_overlaps(Radar.objects.get().pk)
    versions.append(queries.board(workspace.owner).version)
    verdicts.accept(tasks["one"], user=workspace.owner)
    versions.append(queries.board(workspace.owner).version)
    Task.objects.filter(pk=tasks["two"].pk).update(lines_added=7)
    versions.append(queries.board(workspace.owner).version)
    assert len(set(versions)) == 4
    assert marks(tasks["two"]) == [f"conflicts with #{tasks['one'].pk}"]


def undone_by_a_revert(workspace: Workspace, history: History) -> dict[str, Task]:
    files = [("one", changed(1, 2, "x")), ("two", {"two.txt": "2\n"})]
    tasks = make_tasks(workspace, history, files)
    train = merge(workspace, tasks.values())
    git(history.repo, "commit", "-q", "--allow-empty", "-m", "Later")
    trains.undo_train(train)
    assert ride(train).undo_commit
    return tasks


def test_what_an_undo_reverted_is_not_called_merged_and_can_be_brought_back(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    tasks = undone_by_a_revert(workspace, history)
    two = tasks["two"]
    assert marks(two) == ["undone"]
    step = merge(workspace, [two]).steps.get()
    assert step.state == "left_out"
    assert "Reapply" in step.reason

    reapply.reapply(two)
    assert marks(two) != ["undone"]
    assert git(history.repo, "diff", "--name-only", "main...two") == "two.txt"
    assert merge(workspace, [two]).steps.get().state == "merged"
    assert (history.repo / "two.txt").read_text() == "2\n"
    assert git(history.repo, "show", "main:part000/file00001.txt").splitlines()[2] != "x"


def test_work_done_after_the_undo_is_kept_when_it_is_brought_back(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = undone_by_a_revert(workspace, history)["two"]
    history.commit("two", {"more.txt": "more\n"}, parent="two").write()

    reapply.reapply(task)

    assert merge(workspace, [task]).steps.get().state == "merged"
    assert (history.repo / "two.txt").exists()
    assert (history.repo / "more.txt").exists()


def test_a_branch_that_is_in_main_already_is_done(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    git(history.repo, "merge", "-q", "--no-ff", "-m", "By hand", "one")
    assert merge(workspace, [task]).steps.get().state == "already"
    assert (status(task), marks(task)) == ("done", ["merged"])


def test_strangers_move_nothing(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    client = Client()
    client.force_login(make_user())
    assert client.post(f"/tasks/{task.pk}/move", {"status": "done", "merge": "yes"}).status_code == 404


@pytest.mark.parametrize("strategy", ["merge", "squash"])
def test_a_commit_after_the_merge_brings_the_card_back(
    shop: tuple[Workspace, History], strategy: str
) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    merge(workspace, tasks.values(), strategy=strategy)
    row, _ = Radar.objects.get_or_create(workspace=workspace)
    overlap.check_overlaps(row.pk)
    assert {status(task) for task in tasks.values()} == {"done"}
    git(history.repo, "branch", "-f", "two", "two^")
    history.commit("one", {"late.txt": "late\n"}, parent="one").write()

    overlap.check_overlaps(row.pk)

    assert (status(tasks["one"]), status(tasks["two"])) == ("review", "done")
    assert not Verdict.objects.filter(task=tasks["one"]).exists()
    assert [step.state for step in merge(workspace, [tasks["one"]]).steps.all()] == ["merged"]
    assert (history.repo / "late.txt").exists()


def test_merged_branches_are_looked_at_again_from_time_to_time(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    merge(workspace, [task])
    row, _ = Radar.objects.get_or_create(workspace=workspace)
    overlap.check_overlaps(row.pk)
    Radar.objects.update(wanted_at=None)
    overlap.repair()
    assert not Radar.objects.filter(wanted_at__isnull=False).exists()
    Radar.objects.update(looked_at=timezone.now() - 2 * overlap.REST_INTERVAL)
    overlap.repair()
    assert Radar.objects.filter(wanted_at__isnull=False).exists()


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_main_that_a_person_moved_back_brings_the_lost_cards_back(
    shop: tuple[Workspace, History], strategy: str
) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    train = merge(workspace, tasks.values(), strategy=strategy)
    first = train.steps.get(position=1).candidate
    git(history.repo, "reset", "-q", "--hard", first)
    row, _ = Radar.objects.get_or_create(workspace=workspace)

    overlap.check_overlaps(row.pk)

    assert (status(tasks["one"]), status(tasks["two"])) == ("done", "review")


def test_work_that_a_person_rebased_on_main_is_still_merged(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    merge(workspace, tasks.values())
    git(history.repo, "switch", "-q", "-c", "theirs", "main^")
    commit_file(history.repo, "theirs.txt", "theirs\n")
    git(history.repo, "switch", "-q", "main")
    git(history.repo, "rebase", "-q", "theirs")
    row, _ = Radar.objects.get_or_create(workspace=workspace)

    overlap.check_overlaps(row.pk)

    assert status(tasks["one"]) == "done"
