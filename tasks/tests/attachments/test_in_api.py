"""Files in the calls of the API that plan, create several tasks, and request changes."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tasks.attachments import services
from tasks.models import Attachment, Run, Task, Verdict
from tasks.tests.api_client import Script
from tasks.tests.attachments.samples import picture, upload
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import People

pytestmark = pytest.mark.django_db


class Caller:
    """The owner's script, and the calls that take files."""

    def __init__(self, people: People) -> None:
        self.people, self.script = people, Script(people.owner)
        self.workspace = f"/workspaces/{people.workspace.pk}"
        make_run(task=people.task, state="succeeded", cli_session="s")
        Task.objects.filter(pk=people.task.pk).update(status="review")
        Verdict.objects.create(task=people.task, kind=Verdict.Kind.ACCEPTED)

    def file(self, name: str = "shot.png") -> int:
        return upload(name, picture(), self.people.owner).pk

    def plan(self, *ids: int) -> Any:
        body = {"text": "Fix it.", "backend": "codex", "attachments": ids}
        return self.script.post(f"{self.workspace}/plan", body)

    def create(self, *ids: int) -> Any:
        items = [{"prompt": "a"}, {"prompt": "b", "attachments": ids}]
        return self.script.post(f"{self.workspace}/tasks", items)

    def send_back(self, *ids: int) -> Any:
        return self.script.post(
            f"/tasks/{self.people.task.pk}/send-back", {"message": "x", "attachments": ids}
        )


@pytest.fixture
def caller(people: People) -> Caller:
    return Caller(people)


def test_a_plan_run_gets_files(caller: Caller) -> None:
    row = caller.file()
    assert Run.objects.get(pk=caller.plan(row)["id"]).attachments == [row]


def test_each_planned_task_gets_its_own_files(caller: Caller) -> None:
    shot, log = caller.file(), upload("a.log", b"x", caller.people.owner).pk
    items = [
        {"prompt": "a", "attachments": [shot]},
        {"prompt": "b"},
        {"prompt": "c", "attachments": [log, shot]},
    ]
    created = caller.script.post(f"{caller.workspace}/tasks", items)
    names = [[Attachment.objects.get(pk=pk).name for pk in task["attachments"]] for task in created]
    assert names == [["shot.png"], [], ["a.log", "shot.png"]]
    assert created[0]["attachments"] == [shot]


def test_a_request_for_changes_takes_files_without_words(caller: Caller) -> None:
    row, path = caller.file(), f"/tasks/{caller.people.task.pk}/send-back"
    run = caller.script.post(path, {"attachments": [row]})
    assert (caller.script.status, Run.objects.get(pk=run["id"]).attachments) == (201, [row])
    caller.script.post(path, {"message": " "})
    assert caller.script.status == 422


def elsewhere(caller: Caller) -> int:
    """A file of a task of the owner's other workspace."""
    row = caller.file()
    task = make_task(workspace=make_workspace(name="other", owner=caller.people.owner))
    services.attach(task, [row], caller.people.owner)
    return row


WRONG = {
    "unknown": (lambda _caller: 10**6, "no longer there, or you don't have access"),
    "somebody else's": (
        lambda caller: upload("a", b"x", caller.people.stranger).pk,
        "no longer there, or you don't have access",
    ),
    "of another workspace": (elsewhere, "“shot.png” belongs to"),
    "too large together": (lambda caller: caller.file(), "The files of this task would have"),
}


@pytest.mark.parametrize("call", ["plan", "create", "send_back"])
@pytest.mark.parametrize(("wrong", "words"), WRONG.values(), ids=WRONG)
def test_a_file_that_can_not_be_used_is_said_and_nothing_is_lost(
    caller: Caller, settings: Settings, call: str, wrong: Any, words: str
) -> None:
    good, bad = caller.file("good.png"), wrong(caller)
    before = (Task.objects.count(), Run.objects.count(), Verdict.objects.count())
    if words.startswith("The files"):
        settings.TASK_ATTACHMENTS_BYTES = len(picture()) + 1
    answer = getattr(caller, call)(good, bad)
    assert caller.script.status in (413, 422)
    assert words in answer["detail"]
    assert answer["hint"]
    assert (Task.objects.count(), Run.objects.count(), Verdict.objects.count()) == before
    assert Attachment.objects.get(pk=good).task is None


@pytest.mark.parametrize("call", ["plan", "create", "send_back"])
def test_too_many_files_are_refused(caller: Caller, call: str) -> None:
    getattr(caller, call)(*range(1, 102))
    assert caller.script.status == 422


def test_a_run_that_is_refused_for_a_file_does_not_change_the_task(caller: Caller) -> None:
    task = caller.people.task
    caller.script.post(f"/tasks/{task.pk}/run", {"model": "another", "attachments": [10**6]})
    task.refresh_from_db()
    assert (caller.script.status, task.model) == (422, "")
