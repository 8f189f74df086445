"""Files of the form for new tasks go along to the plan page: to its agent, and to each of its tasks."""

from __future__ import annotations

import json

import pytest

from tasks.board.cards import cards_of
from tasks.models import Attachment, Task
from tasks.tests.attachments.samples import picture, upload
from tasks.tests.factories import make_run
from tasks.tests.people import People, browser_of, send

pytestmark = pytest.mark.django_db


def field(*rows: Attachment) -> str:
    return json.dumps([{"id": row.pk} for row in rows])


def common(people: People) -> dict[str, str]:
    return {"workspace": str(people.workspace.pk), "backend": "codex"}


def test_an_agent_that_plans_gets_the_files(people: People) -> None:
    row = upload("shot.png", picture(), people.owner)
    send(browser_of(people.owner), "/plan/start", text="Fix it.", attachments=field(row), **common(people))
    task = Task.objects.get(kind="plan")
    assert task.runs.get().attachments == [row.pk]


def test_each_task_of_a_split_text_gets_them(people: People) -> None:
    row = upload("shot.png", picture(), people.owner)
    items = json.dumps([{"title": "A", "prompt": "a"}, {"title": "B", "prompt": "b"}])
    data = {"items": items, "attachments": field(row), **common(people)}
    told = json.loads(send(browser_of(people.owner), "/plan/create", **data).content)
    for pk in told["created"]:
        (kept,) = Attachment.objects.filter(task=pk, in_prompt=True)
        assert (kept.name, kept.sha256) == ("shot.png", row.sha256)


def test_the_tasks_that_a_plan_run_proposes_begin_with_its_files(people: People) -> None:
    items = [{"title": "A", "prompt": "a", "after": [], "touches": [], "check": "", "size": "small"}]
    task = Task.objects.create(
        workspace=people.workspace, title="Plan", prompt="x", kind="plan", status="review"
    )
    row = upload("shot.png", picture(), people.owner)
    Attachment.objects.filter(pk=row.pk).update(task=task, in_prompt=True)
    run = make_run(task=task, state="succeeded", kind="plan", proposals=items)
    html = browser_of(people.owner).get(f"/plan?run={run.pk}").content.decode()
    assert f"&quot;id&quot;: {row.pk}" in html


def test_a_card_has_the_number_of_files(people: People) -> None:
    (before,) = cards_of([people.task])
    row = upload("shot.png", picture(), people.owner)
    Attachment.objects.filter(pk=row.pk).update(task=people.task)
    (card,) = cards_of([people.task])
    assert (before.files, card.files) == (0, 1)
    assert before.shown != card.shown
    html = browser_of(people.owner).get("/").content.decode()
    assert 'title="1 attached file"' in " ".join(html.split())
