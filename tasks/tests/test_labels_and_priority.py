"""Labels and priority: what is accepted, where they are shown, and what a priority decides."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tasks.board import queries
from tasks.models import Task
from tasks.runs import dispatch
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send

pytestmark = pytest.mark.django_db


def create(people: People, **fields: Any) -> Any:
    script = Script(people.owner)
    told = script.post("/tasks", {"workspace": people.workspace.pk, "prompt": "Do it.", **fields})
    return told if script.status < 300 else script.status


def backlog(people: People) -> list[str]:
    return [card.task.title for card in queries.board(people.owner).columns[0].cards]


def test_a_script_sets_reads_and_changes_them(people: People) -> None:
    task = create(people, labels=["Bug", "ui", "bug"], priority=2)
    assert (task["labels"], task["priority"]) == (["bug", "ui"], 2)
    script = Script(people.owner)
    script.patch(f"/tasks/{task['id']}", {"labels": ["later"], "priority": -1})
    read = script.get(f"/tasks/{task['id']}")
    assert (read["labels"], read["priority"]) == (["later"], -1)
    script.patch(f"/tasks/{task['id']}", {"labels": []})
    assert script.get(f"/tasks/{task['id']}")["labels"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": ["two words"]},
        {"labels": ["x" * 31]},
        {"labels": ["<b>"]},
        {"labels": ["%"]},
        {"labels": [f"l{n}" for n in range(11)]},
        {"labels": "bug"},
        {"labels": [1]},
        {"priority": 101},
        {"priority": -101},
        {"priority": 10**30},
        {"priority": "high"},
        {"priority": 1.5},
    ],
)
def test_what_is_no_label_or_priority_is_refused(people: People, fields: dict[str, Any]) -> None:
    assert create(people, **fields) == 422
    assert Task.objects.count() == 1


def test_the_forms_have_both(people: People) -> None:
    client = people.browser("owner")
    data = {"text": "New one", "workspace": people.workspace.pk, "backend": "codex", "create": "1"}
    send(client, "/tasks/new", **data, labels="docs, ui", priority="1")
    task = Task.objects.get(title="New one")
    assert (task.labels, task.priority) == (["docs", "ui"], 1)
    shown = client.get(f"/tasks/{task.pk}/edit").content.decode()
    assert 'value="docs ui"' in shown
    edited = {"title": "New one", "prompt": "x", "backend": "codex", "labels": "docs", "priority": "-1"}
    assert send(client, f"/tasks/{task.pk}/edit", **edited).status_code == 204
    task.refresh_from_db()
    assert (task.labels, task.priority) == (["docs"], -1)
    assert "Low priority" in client.get(f"/tasks/{task.pk}").content.decode()


def test_a_form_says_what_is_no_label(people: People) -> None:
    edited = {"title": "T", "prompt": "x", "backend": "codex", "labels": "a <b>", "priority": "0"}
    response = send(people.browser("owner"), f"/tasks/{people.task.pk}/edit", **edited)
    assert response.status_code == 422
    assert "“&lt;b&gt;” is not a label" in response.content.decode()


def test_a_form_keeps_a_priority_of_a_script(people: People) -> None:
    task = make_task(workspace=people.workspace, priority=7)
    edited = {"title": "T", "prompt": "x", "backend": "claude_code", "labels": "", "priority": "7"}
    assert send(people.browser("owner"), f"/tasks/{task.pk}/edit", **edited).status_code == 204
    assert Task.objects.get(pk=task.pk).priority == 7


def test_a_higher_priority_comes_first_in_backlog_and_scrolling_follows(people: People) -> None:
    people.task.delete()
    made = random.Random(5)
    for n in range(2 * queries.WINDOW + 5):
        make_task(workspace=people.workspace, title=f"t{n}", priority=made.randint(-1, 2))
    expected = [task.title for task in Task.objects.order_by("-priority", "rank", "pk")]
    found, column = [], queries.board(people.owner).columns[0]
    found += [card.task.title for card in column.cards]
    while column.next:
        column = queries.cards_after(people.owner, queries.ALL, "backlog", column.place)
        found += [card.task.title for card in column.cards]
    assert found == expected


def test_the_queue_starts_the_higher_priority_first(people: People) -> None:
    runs = [
        make_run(task=make_task(workspace=people.workspace, status="queued", priority=priority))
        for priority in (0, -1, 2, 0, 1)
    ]
    order = [run.task.priority for run in dispatch.queued_runs(people.workspace)]
    assert order == [2, 1, 0, 0, -1]
    equal = [run.pk for run in dispatch.queued_runs(people.workspace) if run.task.priority == 0]
    assert equal == [runs[0].pk, runs[3].pk]


def test_review_keeps_its_order(people: People) -> None:
    for priority in (0, 2):
        make_task(workspace=people.workspace, status="review", title=f"p{priority}", priority=priority)
    review = queries.board(people.owner).columns[3]
    assert [card.task.title for card in review.cards] == ["p0", "p2"]


@pytest.mark.parametrize(
    ("search", "titles"),
    [
        ("label:bug", ["A", "B"]),
        ("label:BUG", ["A", "B"]),
        ("label:bug label:ui", ["B"]),
        ("label:bu", []),
        ("label:b_g", []),
        ("label:bug plants", ["A"]),
        ("label:", []),
    ],
)
def test_the_board_is_filtered_by_label(people: People, search: str, titles: list[str]) -> None:
    make_task(workspace=people.workspace, title="A", labels=["bug"], prompt="plants")
    make_task(workspace=people.workspace, title="B", labels=["ui", "bug"])
    make_task(workspace=people.workspace, title="C", labels=["bugs"])
    board = queries.board(people.owner, queries.Filter(search=search))
    assert [card.task.title for card in board.columns[0].cards] == titles


def test_archived_tasks_have_a_filter_of_their_own(people: People) -> None:
    task = make_task(workspace=people.workspace, status="done", archived_at="2026-01-01T00:00:00Z")
    board = queries.board(people.owner, queries.Filter(search="is:archived"))
    assert [card.task.pk for column in board.columns for card in column.cards] == [task.pk]


def test_a_card_shows_both(people: People) -> None:
    make_task(workspace=people.workspace, labels=["ui"], priority=2)
    html = people.browser("owner").get("/").content.decode()
    assert "?q=label:ui" in html
    assert 'title="Priority: Urgent"' in html
