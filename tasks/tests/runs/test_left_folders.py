"""What a removed task has left on its host is removed there, too, even if the host is away at first."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from tasks import services
from tasks.attachments import hosting
from tasks.models import Attachment, LeftFolder, Task
from tasks.tests.factories import make_run, make_task, make_workspace
from terminal.places import Place
from workspaces import hosts
from workspaces.hosts import HostError
from workspaces.models import Host, Installation
from workspaces.services import delete_workspace

pytestmark = pytest.mark.django_db
AWAY = HostError("cloud does not answer.", code="timeout", retryable=True)


class Asked:
    """The boundary: a host that is asked to remove folders."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.blanked: list[dict[str, Any]] = []
        self.failures: list[Exception] = []

    def call(self, verb: str, params: Any, timeout: float) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        if verb == "blank_transcripts":
            assert self.names == [], "the host would no longer know whether the task had files"
            self.blanked.append(params)
            return {}
        assert verb == "remove_folders"
        self.names.append(params["names"])
        return {}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    fake = Asked()
    monkeypatch.setattr(hosts, "get", lambda _address: fake)
    return fake


def with_file(task: Task) -> Task:
    facts = {"content_type": "text/plain", "kind": "text", "size": 1, "sha256": "0" * 64}
    Attachment.objects.create(task=task, name="a.txt", **facts)
    return task


def folder_of(task: Task) -> str:
    return f"attachments/{Installation.current_key()}-{task.pk}-{task.mark}"


def shells_of(task: Task) -> str:
    return f"shells/{Place.of_task(task).key}"


def test_a_task_takes_its_folder_and_those_of_its_runs_along(asked: Asked) -> None:
    task = with_file(make_task())
    make_run(task=task, state="succeeded", run_dir="/home/ann/.local/state/aitask/runs/k-1-abc")
    expected = ["runs/k-1-abc", shells_of(task), folder_of(task)]
    services.delete_task(task)
    hosting.remove_left(Host.objects.get().pk)
    assert (asked.names, LeftFolder.objects.count()) == ([expected], 0)
    assert asked.blanked == [{"folder": expected[-1], "runs": ["runs/k-1-abc"]}]


def test_a_task_that_was_never_on_a_host_asks_for_nothing(asked: Asked) -> None:
    services.delete_task(make_task())
    assert not LeftFolder.objects.exists()


def test_a_deleted_workspace_takes_the_folders_of_its_tasks_along(asked: Asked) -> None:
    task = with_file(make_task(status="done"))
    expected = [shells_of(task), folder_of(task)]
    delete_workspace(task.workspace, task.workspace.name)
    hosting.remove_left(Host.objects.get().pk)
    assert asked.names == [expected]


def test_a_host_that_is_away_is_asked_again_when_it_is_back(
    asked: Asked, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    services.delete_task(with_file(make_task()))
    host = Host.objects.get()
    asked.failures = [AWAY]
    hosting.remove_left(host.pk)
    assert LeftFolder.objects.get().reason == str(AWAY)
    with django_capture_on_commit_callbacks() as enqueued:
        hosting.repair()  # too early
        LeftFolder.objects.update(retry_at=None)
        Host.objects.update(link=Host.Link.DOWN)
        hosting.repair()
    assert enqueued == []
    Host.objects.update(link=Host.Link.UP)
    with django_capture_on_commit_callbacks() as enqueued:
        hosting.repair()
    assert len(enqueued) == 1
    hosting.remove_left(host.pk)
    assert not LeftFolder.objects.exists()


def test_a_user_is_told_that_a_host_that_is_away_removes_the_files_later() -> None:
    task, empty = with_file(make_task()), make_task(workspace=make_workspace(name="other"))
    assert hosting.removed_later(task) == ""
    Host.objects.filter(pk=task.workspace.host.pk).update(link=Host.Link.DOWN)
    assert "removed when it is back" in hosting.removed_later(task)
    assert hosting.removed_later(empty) == ""


def test_one_folder_that_can_not_be_removed_does_not_keep_others(asked: Asked) -> None:
    services.delete_task(with_file(make_task(workspace=(first := make_task()).workspace)))
    services.delete_task(with_file(first))
    asked.failures = [HostError("attachments/x is a link.", code="bad_request")]
    hosting.remove_left(Host.objects.get().pk)
    assert (len(asked.names), LeftFolder.objects.get().reason) == (1, "attachments/x is a link.")
