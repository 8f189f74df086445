"""Messages with files, as rows: what waits, who sends the files, and what becomes of those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from aitask.lib.errors import Refused
from tasks.attachments import hosting
from tasks.conversation import delivery
from tasks.conversation import services as conversation
from tasks.models import Attachment, Outgoing, Run, Task
from tasks.runs import rescue
from tasks.runs import services as run_services
from tasks.tests.conversation.hosts import AWAY, FakeHost, states
from tasks.tests.factories import make_run, make_task, make_user
from workspaces.hosts import HostError

pytestmark = pytest.mark.django_db
FULL = HostError("There is no room on the host's disk for a.png (1.0 MB).", code="remote_failed")


def attach(task: Task, name: str = "a.png", *, in_prompt: bool = False) -> int:
    facts = {"content_type": "image/png", "kind": "picture", "size": 9, "sha256": "0" * 64}
    return Attachment.objects.create(task=task, name=name, in_prompt=in_prompt, **facts).pk


class Uploads:
    """The boundary: files on a host, or why they can't be put there."""

    def __init__(self) -> None:
        self.put: list[int] = []
        self.failures: list[Exception] = []
        self.meanwhile: Any = None

    def __call__(self, _site: object, _task: Task, ids: list[int]) -> list[dict[str, Any]]:
        if self.meanwhile:
            self.meanwhile()
        if self.failures:
            raise self.failures.pop(0)
        self.put += ids
        return [{"id": pk, "kind": "picture", "path": f"/state/{pk}"} for pk in ids]


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> Uploads:
    fake = Uploads()
    monkeypatch.setattr(hosting, "put_on_host", fake)
    return fake


def say(run: Run, text: str, *files: int) -> Outgoing:
    return conversation.send_message(run, text, when="now", user=None, attachments=files)


def test_its_files_are_sent_by_a_worker_and_not_while_somebody_waits_for_the_page(
    run: Run, host: FakeHost, uploads: Uploads
) -> None:
    pk = attach(run.task)
    say(run, "look", pk)
    say(run, "and then")  # delivers what waits, but not in the request of this page
    assert (states(run), uploads.put, host.commands) == (["waiting", "waiting"], [], [])
    delivery.deliver(run.pk)
    assert (states(run), uploads.put) == (["sent", "sent"], [pk])
    assert host.commands[0]["attachments"] == [{"id": pk, "kind": "picture", "path": f"/state/{pk}"}]
    assert host.texts == ["look", "and then"]


def test_files_need_no_words_but_something_must_be_said(run: Run, host: FakeHost, uploads: Uploads) -> None:
    say(run, " ", attach(run.task))
    with pytest.raises(Refused, match="empty"):
        say(run, " ")
    delivery.deliver(run.pk)
    assert host.texts == [""]


def test_while_they_are_sent_it_can_be_withdrawn(run: Run, host: FakeHost, uploads: Uploads) -> None:
    row = say(run, "look", attach(run.task))
    uploads.meanwhile = lambda: conversation.withdraw(Outgoing.objects.get(pk=row.pk))
    delivery.deliver(run.pk)
    assert (states(run), host.commands) == (["withdrawn"], [])


def test_while_they_are_sent_its_words_can_be_changed(run: Run, host: FakeHost, uploads: Uploads) -> None:
    row = say(run, "look", attach(run.task))
    uploads.meanwhile = lambda: conversation.edit(Outgoing.objects.get(pk=row.pk), "see", user=make_user())
    delivery.deliver(run.pk)
    assert (host.texts, len(host.commands[0]["attachments"])) == (["see"], 1)


def test_while_they_are_sent_no_other_worker_sends_them(run: Run, host: FakeHost, uploads: Uploads) -> None:
    pk = attach(run.task)
    say(run, "look", pk)

    def other_worker() -> None:
        uploads.meanwhile = None
        delivery.enqueue_delivery(run)
        delivery.deliver(run.pk)

    uploads.meanwhile = other_worker
    delivery.deliver(run.pk)
    assert (uploads.put, len(host.commands)) == ([pk], 1)


def test_a_lost_link_leaves_it_waiting_and_a_full_disk_is_said(
    run: Run, host: FakeHost, uploads: Uploads
) -> None:
    say(run, "look", attach(run.task))
    uploads.failures = [AWAY, FULL]
    delivery.deliver(run.pk)
    assert states(run) == ["waiting"]
    delivery.deliver(run.pk)
    row = Outgoing.objects.get()
    assert (row.state, row.reason) == ("failed", str(FULL))
    assert host.commands == []


def test_what_a_run_did_not_take_goes_on_with_its_files(run: Run, host: FakeHost, uploads: Uploads) -> None:
    first, second = attach(run.task), attach(run.task)
    say(run, "one", first)
    say(run, "", second)
    Run.objects.filter(pk=run.pk).update(state="succeeded", cli_session="s-1")
    delivery.repair()
    newest = run.task.runs.order_by("-number").first()
    assert newest is not None
    assert (newest.prompt, newest.attachments) == ("one", [first, second])


def test_a_new_session_gets_the_files_of_the_task_and_a_continued_one_only_new_files() -> None:
    task = make_task()
    own, other = attach(task, in_prompt=True), attach(task)
    first = run_services.queue_run(task, user=None)
    assert first.attachments == [own]
    Run.objects.filter(pk=first.pk).update(state="succeeded", cli_session="s")
    conversation.continue_conversation(task, "", user=task.workspace.owner, attachments=[other])
    assert task.runs.get(number=2).attachments == [other]


def test_a_task_with_files_alone_can_run() -> None:
    task = make_task(prompt="")
    with pytest.raises(Refused, match="no prompt"):
        run_services.queue_run(task, user=None)
    attach(task, in_prompt=True)
    assert run_services.queue_run(task, user=None).prompt == ""


def test_a_rescued_conversation_gets_all_files_that_its_agents_had() -> None:
    task = make_task()
    own, sent, _typed_in_terminal = attach(task, in_prompt=True), attach(task), attach(task)
    run = make_run(task=task, state="failed", attachments=[own])
    payload = {"command": "message", "text": "x", "attachments": [sent]}
    Outgoing.objects.create(run=run, kind="message", state="taken", payload=payload)
    assert rescue.files(task) == [own, sent]


@pytest.mark.parametrize(("takes", "kind"), [(True, "picture"), (None, "picture"), (False, "file")])
def test_a_model_that_takes_no_pictures_gets_their_paths(takes: bool | None, kind: str) -> None:
    picture: Any = {"id": 1, "kind": "picture"}
    text: Any = {"id": 2, "kind": "text"}
    assert [file["kind"] for file in hosting.as_taken([picture, text], takes)] == [kind, "text"]
