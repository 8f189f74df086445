"""Files are given to tasks, runs and messages, seen by who may see the task, and removed with it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from aitask.lib.errors import Refused
from tasks import services as task_services
from tasks.attachments import jobs, services, store
from tasks.models import Attachment, Run, Task
from tasks.tests.api_client import Script
from tasks.tests.attachments.samples import SVG, picture, upload
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.tests.people import People, browser_of, send
from workspaces.services import delete_workspace

pytestmark = pytest.mark.django_db


def field(*rows: Attachment) -> str:
    return json.dumps([{"id": row.pk, "name": row.name} for row in rows])


def post_file(script: Script, name: str, data: bytes, **more: Any) -> Any:
    body = {"file": SimpleUploadedFile(name, data), **more}
    response = script.client.post("/api/attachments", body)
    script.status = response.status_code
    return response.json()


def test_the_api_takes_a_file_and_gives_it_back_as_a_download() -> None:
    script = Script(make_user())
    data = picture()
    found = post_file(script, "shot.png", data)
    assert script.status == 201
    assert {"id", "name", "size", "content_type", "sha256"} <= set(found)
    assert (found["name"], found["size"], found["content_type"]) == ("shot.png", len(data), "image/png")
    response = script.client.get(f"/api/attachments/{found['id']}")
    assert b"".join(response) == data
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="shot.png"'
    script.delete(f"/attachments/{found['id']}")
    assert (script.status, Attachment.objects.count()) == (204, 0)


@pytest.mark.parametrize("name", ["page.html", "x.svg", 'a"b\u2028c;.html'])
def test_nothing_of_a_file_is_a_page_of_the_app(name: str) -> None:
    user = make_user()
    row = upload(name, SVG, user)
    for path in (f"/attachments/{row.pk}", f"/api/attachments/{row.pk}"):
        response = browser_of(user).get(path)
        assert response["Content-Disposition"].startswith("attachment")
        assert response["Content-Type"] == "application/octet-stream"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert browser_of(user).get(f"/attachments/{row.pk}/view").status_code == 404


def test_pictures_are_shown_as_our_own_copies() -> None:
    user = make_user()
    row = upload("shot.bmp", picture("BMP"), user)
    for part in ("view", "thumbnail"):
        response = browser_of(user).get(f"/attachments/{row.pk}/{part}")
        assert response["Content-Type"] in ("image/png", "image/jpeg")
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert b"".join(response)[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")


def test_an_unused_upload_belongs_to_its_creator_and_a_used_one_to_who_sees_the_task(people: People) -> None:
    row = upload("shot.png", picture(), people.member)

    def seen() -> list[int]:
        paths = [f"/attachments/{row.pk}", f"/attachments/{row.pk}/thumbnail", f"/api/attachments/{row.pk}"]
        names = ("member", "owner", "stranger", "nobody")
        return [people.browser(name).get(path).status_code for name in names for path in paths]

    assert seen() == [200] * 3 + [404] * 6 + [302, 302, 401]
    services.attach(people.task, [row.pk], people.member)
    assert seen() == [200] * 6 + [404] * 3 + [302, 302, 401]


def test_a_full_disk_of_the_app_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    monkeypatch.setattr(store, "new_file", lambda: full)
    script = Script(make_user())
    answer = post_file(script, "large.bin", b"x" * (1 << 20))
    assert (script.status, answer["detail"]) == (507, "The disk of the app is full.")
    assert not full.is_symlink()  # nothing of it is left
    assert not Attachment.objects.exists()


def test_tasks_have_files_in_the_api() -> None:
    user = make_user()
    script, workspace = Script(user), make_workspace(owner=user)
    one, two = (upload(f"{n}.txt", b"x", user).pk for n in "ab")
    task = script.post("/tasks", {"workspace": workspace.pk, "prompt": "See.", "attachments": [one]})
    assert (script.status, task["attachments"]) == (201, [one])
    path = f"/tasks/{task['id']}"
    assert script.patch(path, {"attachments": [one, two]})["attachments"] == [one, two]
    assert script.patch(path, {"title": "Other"})["attachments"] == [one, two]
    assert script.patch(path, {"attachments": [two]})["attachments"] == [two]
    assert not Attachment.objects.filter(pk=one).exists()
    run = script.post(f"{path}/run")
    assert Run.objects.get(pk=run["id"]).attachments == [two]
    assert script.patch(path, {"attachments": []})["attachments"] == []
    assert Attachment.objects.filter(pk=two, task=task["id"]).exists()  # an agent was given it
    script.post("/tasks", {"workspace": workspace.pk, "prompt": "x", "attachments": [two]})
    assert script.status == 422
    assert Task.objects.count() == 1


@pytest.mark.parametrize("ids", [[10**6], [-1], [10**30]])
def test_a_file_that_is_not_there_is_said(ids: list[int]) -> None:
    user = make_user()
    workspace = make_workspace(owner=user)
    answer = Script(user)
    answer.post("/tasks", {"workspace": workspace.pk, "prompt": "See.", "attachments": ids})
    assert answer.status == 422
    assert not Task.objects.exists()


def test_a_foreign_upload_can_not_be_used(people: People) -> None:
    row = upload("a.txt", b"x", people.stranger)
    with pytest.raises(Refused, match="no longer there"):
        services.attach(people.task, [row.pk], people.owner)


def test_a_run_and_a_message_take_files() -> None:
    user = make_user()
    script, task = Script(user), make_task(workspace=make_workspace(owner=user))
    first = upload("a.txt", b"x", user).pk
    run = script.post(f"/tasks/{task.pk}/run", {"prompt": "Look.", "attachments": [first]})
    assert Run.objects.get(pk=run["id"]).attachments == [first]
    Run.objects.filter(pk=run["id"]).update(state="succeeded", cli_session="s")
    Task.objects.filter(pk=task.pk).update(status="review")
    second = upload("b.txt", b"x", user).pk
    said = script.post(f"/runs/{run['id']}/message", {"attachments": [second]})
    newest = Run.objects.get(pk=said["run"])
    assert (newest.prompt, newest.attachments) == ("", [second])
    script.post(f"/runs/{run['id']}/message", {"text": ""})
    assert script.status == 422


def test_the_form_for_new_tasks_gives_each_task_the_files() -> None:
    user = make_user()
    workspace = make_workspace(owner=user)
    row = upload("shot.png", picture(), user)
    text = "One\n---\nTwo"
    form = {"text": text, "workspace": workspace.pk, "backend": "claude_code", "attachments": field(row)}
    assert send(browser_of(user), "/tasks/new", **form, create="1").status_code == 204
    first, second = Task.objects.order_by("pk")
    assert [first.attachments.get().pk == row.pk, first.attachments.get().in_prompt] == [True, True]
    copy = second.attachments.get()
    assert (copy.sha256, copy.in_prompt, copy.pk != row.pk) == (row.sha256, True, True)
    page = browser_of(user).get(f"/tasks/new?like={first.pk}").content.decode()
    assert f"&quot;id&quot;: {row.pk}" in page
    send(browser_of(user), "/tasks/new", **{**form, "text": "Three"}, create="1")
    assert Task.objects.order_by("-pk")[0].attachments.get().sha256 == row.sha256


@pytest.mark.parametrize("wrong", ["{", "[1]", '[{"id": "x"}]', '[{"id": true}]', "3"])
def test_a_field_that_no_page_sends_is_refused(people: People, wrong: str) -> None:
    path = f"/tasks/{people.task.pk}/say"
    response = send(people.browser("owner"), path, text="x", attachments=wrong)
    assert not Run.objects.exists()
    assert response.status_code == 400


def test_the_edit_form_changes_the_files(people: People) -> None:
    old = upload("old.txt", b"x", people.owner)
    services.attach(people.task, [old.pk], people.owner, in_prompt=True)
    new = upload("new.txt", b"y", people.owner)
    path = f"/tasks/{people.task.pk}/edit"
    assert "old.txt" in people.browser("owner").get(path).content.decode()
    form = {"title": "T", "prompt": "P", "backend": "claude_code", "attachments": field(new)}
    assert send(people.browser("owner"), path, **form).status_code == 204
    assert [row.name for row in people.task.attachments.all()] == ["new.txt"]


def test_all_files_of_a_task_together_have_a_limit(settings: Settings) -> None:
    settings.TASK_ATTACHMENTS_BYTES = 1 << 20
    task, user = make_task(), make_user()
    half = [upload(f"{n}", n.encode() * 400_000, user).pk for n in "abc"]
    services.attach(task, half[:2], user)
    with pytest.raises(Refused, match="1 MB of files"):
        services.attach(task, half[2:], user)


@pytest.mark.parametrize("how", ["task", "workspace", "rows"])
def test_content_goes_with_the_task_but_not_that_of_another_one(
    how: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user = make_user()
    task, other = make_task(), make_task()
    rows = [upload("a.png", picture(), user), upload("b.txt", b"only here", user)]
    services.attach(task, [row.pk for row in rows], user)
    services.copy_to(other, rows[:1])
    make_run(task=task, state="succeeded", attachments=[row.pk for row in rows])
    Task.objects.filter(pk=task.pk).update(status="done")
    task.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        if how == "task":
            task_services.delete_task(task)
        elif how == "workspace":
            delete_workspace(task.workspace, task.workspace.name)
        else:
            Task.objects.filter(pk=task.pk).delete()
    assert [store.exists(row.sha256) for row in rows] == [True, False]
    assert store.exists(rows[0].view_sha256)
    with django_capture_on_commit_callbacks(execute=True):
        task_services.delete_task(other)
    assert not any(store.exists(getattr(rows[0], name)) for name in Attachment.CONTENTS)


def test_uploads_that_nobody_used_for_a_week_are_removed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user = make_user()
    old, new, used = (upload(name, name.encode(), user) for name in ("old", "new", "used"))
    services.attach(make_task(), [used.pk], user)
    long_ago = timezone.now() - timedelta(days=8)
    Attachment.objects.exclude(pk=new.pk).update(created_at=long_ago)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.tidy()
    assert [store.exists(row.sha256) for row in (old, new, used)] == [False, True, True]
