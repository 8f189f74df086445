"""Files belong to comments of a review, and go to the agent with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from aitask.lib.errors import Refused
from tasks.models import Attachment, Comment, Run, Task
from tasks.review import comments
from tasks.tests.attachments.samples import picture, upload
from tasks.tests.factories import make_run
from tasks.tests.people import People, browser_of
from workspaces.git.diffs import key_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(people: People) -> Task:
    Task.objects.filter(pk=people.task.pk).update(status=Task.Status.REVIEW, branch="aitask/1-sort")
    people.task.refresh_from_db()
    make_run(task=people.task, state="succeeded", cli_session="s")
    return people.task


@pytest.fixture
def member(people: People) -> Client:
    return browser_of(people.member)


def comment_on(client: Client, task: Task, text: str, *files: Attachment) -> Any:
    body = {
        **{"key": key_of("a.py"), "side": "new", "line": 0, "end_line": 0, "commit": "", "quote": ""},
        "text": text,
        "attachments": [{"id": row.pk} for row in files],
    }
    return client.post(f"/tasks/{task.pk}/comments", json.dumps(body), content_type="application/json")


def test_files_of_comments_and_of_the_message_go_to_the_agent_together(
    task: Task, member: Client, people: People
) -> None:
    shot, log, plan = (upload(name, b"line of " + name.encode(), people.member) for name in ("a", "b", "c"))
    found = comment_on(member, task, "It looks like this.", shot).json()
    assert [(row["id"], row["name"]) for row in found["attachments"]] == [(shot.pk, "a")]
    assert comment_on(member, task, "", log).status_code == 200
    field = json.dumps([{"id": plan.pk}])
    member.post(f"/tasks/{task.pk}/send-back", {"message": "See below.", "attachments": field})
    run = Run.objects.latest("pk")
    assert sorted(run.attachments) == sorted([shot.pk, log.pk, plan.pk])
    assert "It looks like this.\n(Attached: a)" in run.prompt
    assert "(Attached: b)" in run.prompt


def test_a_draft_that_is_deleted_takes_its_files_along(task: Task, member: Client, people: People) -> None:
    row = upload("shot.png", picture(), people.member)
    comment_on(member, task, "Like this.", row)
    assert Attachment.objects.get().task == task
    member.post(f"/comments/{Comment.objects.get().pk}/delete")
    assert (Comment.objects.count(), Attachment.objects.count()) == (0, 0)


def test_a_file_that_the_agent_has_got_stays(task: Task, people: People) -> None:
    row = upload("shot.png", picture(), people.member)
    place = comments.CommentedLines(key_of("a.py"), "new", 0, 0, "", "")
    for _ in range(2):
        comments.write(task, place, "Like this.", user=people.member, attachments=[row.pk])
    comments.delete_drafts(Comment.objects.filter(pk=Comment.objects.latest("pk").pk), user=people.member)
    assert Attachment.objects.count() == 1


def test_a_file_of_somebody_else_is_refused_and_no_comment_is_saved(task: Task, people: People) -> None:
    row = upload("shot.png", picture(), people.owner)
    place = comments.CommentedLines(key_of("a.py"), "new", 0, 0, "", "")
    with pytest.raises(Refused, match="no longer there"):
        comments.write(task, place, "Like this.", user=people.member, attachments=[row.pk])
    assert not Comment.objects.exists()


@pytest.mark.parametrize("files", ["x", [{"id": "1"}], [7], {"id": 1}])
def test_a_list_that_no_page_sends_is_a_bad_request(task: Task, member: Client, files: Any) -> None:
    body = {"key": "YQ", "side": "new", "line": 0, "end_line": 0, "commit": "", "quote": "", "text": "x"}
    sent = json.dumps({**body, "attachments": files})
    response = member.post(f"/tasks/{task.pk}/comments", sent, content_type="application/json")
    assert response.status_code == 400
