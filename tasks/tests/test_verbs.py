"""Which verbs a task and a merge train allow, and that services refuse by the same rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks import services
from tasks.board.cards import card_of
from tasks.conversation import services as conversation
from tasks.models import MergeStep, MergeTrain, Run, Task, Verdict
from tasks.review import verdicts
from tasks.runs import services as run_services
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.trains import services as trains
from tasks.verbs import TRAIN_RULES, TaskVerb, possible, require

pytestmark = pytest.mark.django_db
MOVES = {f"move-{status}" for status in Task.Status}
AT_REST = {"move-backlog", "move-queued", "move-review", "move-done"}


def task_with(state: str, **fields: object) -> Task:
    statuses = {"queued": "queued", "running": "running", "waiting": "running"}
    task = make_task(status=statuses.get(state, "review"), branch="aitask/1-x", prompt="Do it.")
    make_run(task=task, state=state, **fields)
    return task


def allowed(task: Task) -> frozenset[str]:
    return possible(task, task.runs.order_by("-number").first())


def test_a_task_that_never_ran_can_be_run_and_deleted() -> None:
    assert allowed(make_task()) >= {"run", "delete", *AT_REST}
    assert not allowed(make_task()) & {"stop", "cancel", "unqueue", "resume", "accept", "restore"}


@pytest.mark.parametrize("state", ["starting", "running", "waiting"])
def test_a_run_at_work_can_only_be_stopped_or_cancelled(state: str) -> None:
    task = task_with(state)
    Task.objects.filter(pk=task.pk).update(status="running")
    task.refresh_from_db()
    assert allowed(task) == {"stop", "cancel", "move-running", "spotlight"}


def test_a_queued_run_can_be_unqueued_also_by_its_card() -> None:
    assert allowed(task_with("queued")) == {"unqueue", "move-queued", "move-backlog", "spotlight"}


@pytest.mark.parametrize("state", ["failed", "lost", "cancelled"])
def test_an_interrupted_run_can_be_resumed_if_it_has_a_session(state: str) -> None:
    started = timezone.now()
    assert "resume" in allowed(task_with(state, cli_session="abc", started_at=started))
    assert "resume" not in allowed(task_with(state, started_at=started))
    assert "resume" not in allowed(task_with("succeeded", cli_session="abc"))


def test_a_run_that_was_unqueued_does_not_hide_the_limit_before_it() -> None:
    resets = timezone.now() + timedelta(hours=1)
    task = task_with("failed", reason_code="limit", limit_resets_at=resets, started_at=timezone.now())
    make_run(task=task, number=2, state="cancelled")
    assert "resume-at-reset" in allowed(task)


@pytest.mark.parametrize(
    ("kind", "verbs"), [("accepted", {"unaccept", "accept"}), ("merged", {"accept"}), ("dropped", set())]
)
def test_a_verdict_decides_what_the_review_offers(kind: str, verbs: set[str]) -> None:
    task = task_with("succeeded")
    if kind == "dropped":
        Task.objects.filter(pk=task.pk).update(branch="")
        task.refresh_from_db()
    Verdict.objects.create(task=task, kind=kind)
    assert allowed(task) & {"accept", "unaccept", "restore"} == verbs


VERBS: dict[TaskVerb, Callable[[Task], object]] = {
    TaskVerb.RUN: lambda task: run_services.queue_run(task, user=None),
    TaskVerb.RESUME: lambda task: conversation.resume(task, user=make_user()),
    TaskVerb.ACCEPT: lambda task: verdicts.accept(task, user=None),
    TaskVerb.REQUEST_CHANGES: lambda task: verdicts.request_changes(task, "More.", user=None),
    TaskVerb.START_OVER: lambda task: verdicts.start_over(task, user=None),
    TaskVerb.DROP: lambda task: verdicts.drop(task, user=None),
    TaskVerb.RESTORE: verdicts.restore,
    TaskVerb.DELETE: services.delete_task,
    TaskVerb.MOVE_TO_DONE: lambda task: services.move_task(
        task, status="done", before=None, user=make_user()
    ),
}


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_service_refuses_with_the_reason_of_the_rule(verb: TaskVerb) -> None:
    task = task_with("running")
    with pytest.raises(Refused) as by_rule:
        require(task, verb)
    with pytest.raises(Refused) as by_service:
        VERBS[verb](task)
    assert str(by_service.value) == str(by_rule.value)


def test_a_card_carries_the_verbs_of_its_menu() -> None:
    card = card_of(task_with("queued"), lost_hosts=set())
    assert set(card.verbs) == {"unqueue", "move-queued", "move-backlog", "spotlight"}


def train_with(step: str, **fields: object) -> MergeTrain:
    train = MergeTrain.objects.create(workspace=make_workspace(), repo_key="r", branch="main", **fields)
    MergeStep.objects.create(train=train, position=1, title="x", branch="b", state=step)
    return train


def test_a_stopped_train_continues_only_while_steps_are_left() -> None:
    assert "continue" in TRAIN_RULES.possible(train_with("blocked", state="stopped"))
    over = train_with("merged", state="stopped", old_tip="1", tip="2")
    assert TRAIN_RULES.possible(over) == {"undo"}
    with pytest.raises(Refused, match="steps"):
        trains.continue_train(over)


def test_a_train_that_merged_nothing_or_only_tried_has_nothing_to_undo() -> None:
    assert "undo" not in TRAIN_RULES.possible(train_with("conflict", state="finished", old_tip="1", tip="1"))
    dry = train_with("clean", state="finished", dry_run=True, old_tip="1", tip="2")
    assert TRAIN_RULES.possible(dry) == frozenset()


def test_the_newest_run_counts() -> None:
    task = task_with("failed", cli_session="abc", started_at=timezone.now())
    make_run(task=task, number=2, state="succeeded", cli_session="abc")
    assert Run.objects.count() == 2
    assert "resume" not in allowed(task)


def failing(session: str, count: int, **fields: object) -> Task:
    given = {"reason_code": "rejected", "resumes": session, "cli_session": session, **fields}
    task = task_with("failed", cli_session=session, output_tokens=5)
    for number in range(2, count + 2):
        make_run(task=task, number=number, state="failed", **given)
    return task


def test_a_conversation_that_fails_again_and_again_gives_way_to_a_new_one() -> None:
    assert "resume" in allowed(failing("abc", 1))
    task = failing("abc", 2)
    assert {"new-conversation", "resume"} & allowed(task) == {"new-conversation"}
    with pytest.raises(Refused, match="2 attempts"):
        conversation.resume(task, user=task.workspace.owner)
    make_run(task=task, number=4, state="failed", resumes="abc", cli_session="abc", output_tokens=1)
    assert "resume" in allowed(task)


@pytest.mark.parametrize("code", ["login", "limit", "hangup", "connection"])
def test_what_is_not_the_conversations_fault_does_not_count(code: str) -> None:
    assert "new-conversation" not in allowed(failing("abc", 3, reason_code=code))


def test_a_new_conversation_is_offered_on_the_page(client: Client) -> None:
    task = failing("abc", 3)
    client.force_login(task.workspace.owner)
    page = client.get(f"/tasks/{task.pk}").content.decode()
    assert "Start a new conversation" in page
    assert "could not be continued" in page
