"""Creating several tasks at once, by the API and by the plan page: all of them or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.models import Task
from tasks.tests.api_client import Script
from tasks.tests.people import HTMX, People

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(people: People) -> Script:
    return Script(people.owner)


def create(script: Script, people: People, body: Any) -> Any:
    return script.post(f"/workspaces/{people.workspace.pk}/tasks", body)


def test_a_text_is_split_and_nothing_is_created(script: Script, people: People) -> None:
    path = f"/workspaces/{people.workspace.pk}/split"
    answer = script.post(path, {"text": "1. One\n   - part\n2. Two (after 1)"})
    assert answer == [
        {"title": "One", "prompt": "One\n- part", "after": []},
        {"title": "Two", "prompt": "Two (after 1)", "after": [0]},
    ]
    answer = script.post(path, {"text": "1. One\n   - part\n2. Two", "nested": "tasks"})
    assert [each["after"] for each in answer] == [[], [0], []]
    assert Task.objects.count() == 1


def test_what_can_not_be_split_is_a_sentence(script: Script, people: People) -> None:
    answer = script.post(f"/workspaces/{people.workspace.pk}/split", {"text": " "})
    assert (script.status, answer["detail"]) == (409, "The text is empty.")
    assert answer["hint"]


def test_tasks_are_created_in_their_order(script: Script, people: People) -> None:
    body = [{"title": "Later", "prompt": "b", "after": [1]}, {"prompt": "First\nwords", "labels": ["ui"]}]
    later, first = create(script, people, body)
    assert script.status == 201
    assert (later["title"], later["after"], later["status"]) == ("Later", [first["id"]], "backlog")
    assert (first["title"], first["labels"], first["after"]) == ("First", ["ui"], [])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "There are no tasks."),
        ([{"title": "a"}, {"title": "b", "after": [2]}], "1: after names the index 2"),
        ([{"title": "a"}, {"title": "b", "after": [-1]}], "1: after names the index -1"),
        ([{"title": "a", "after": [0]}], "0: a task can't come after itself."),
        ([{"title": "a", "after": [1]}, {"title": "b", "after": [0]}], "in a circle (0 → 1 → 0)"),
        ([{"title": "a"}, {"title": ""}], "1: Give the task a title or a prompt."),
        ([{"title": "a"}, {"title": "b", "labels": ["two words"]}], "1: "),
        ([{"title": "a"}] * 201, "These are 201 tasks. At most 200"),
    ],
)
def test_a_wrong_task_is_named_by_its_index_and_none_is_created(
    script: Script, people: People, body: Any, words: str
) -> None:
    answer = create(script, people, body)
    assert script.status == 422
    assert words in answer["detail"]
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    "body", [{}, "x", [1], [{"titel": "a"}], [{"title": 1}], [{"after": ["0"]}], [{"after": 0}]]
)
def test_what_is_no_list_of_tasks_is_invalid(script: Script, people: People, body: Any) -> None:
    create(script, people, body)
    assert script.status == 422
    assert Task.objects.count() == 1


def test_a_long_circle_is_found(script: Script, people: People) -> None:
    body = [{"title": str(number), "after": [(number + 1) % 200]} for number in range(200)]
    assert "in a circle" in create(script, people, body)["detail"]


def test_strangers_can_not_split_or_create(people: People) -> None:
    script = Script(people.stranger)
    create(script, people, [{"title": "a"}])
    assert script.status == 404
    script.post(f"/workspaces/{people.workspace.pk}/split", {"text": "- a"})
    assert script.status == 404
    assert Task.objects.count() == 1


# the page


def send(people: People, path: str, **data: Any) -> tuple[int, Any]:
    response = people.browser("owner").post(path, data, headers=HTMX)
    return response.status_code, json.loads(response.content)


def test_the_page_splits_and_says_what_is_left_out(people: People) -> None:
    status, found = send(people, "/plan/split", text="Intro.\n\n- [x] Old\n- [ ] New", by="auto")
    assert status == 200
    assert [task["title"] for task in found["tasks"]] == ["New"]
    assert (found["done"], found["context"]) == (["Old"], ["Intro."])


def test_the_page_creates_with_what_all_have_in_common(people: People) -> None:
    items = [{"title": "A", "prompt": "a"}, {"title": "B", "prompt": "b", "after": [0]}]
    common = {"workspace": people.workspace.pk, "backend": "codex", "labels": "ui api", "priority": "1"}
    status, told = send(people, "/plan/create", items=json.dumps(items), **common)
    assert (status, told["text"]) == (200, "Created 2 tasks in Backlog.")
    first, second = Task.objects.filter(pk__in=told["created"]).order_by("pk")
    assert (first.backend, first.labels, first.priority, first.status) == (
        "codex",
        ["ui", "api"],
        1,
        "backlog",
    )
    assert second.after == [first.pk]
    assert told["undo"] == [{"verb": "uncreate", "tasks": told["created"]}]


def test_the_page_creates_and_runs(people: People) -> None:
    items = [{"title": "A", "prompt": "a"}, {"title": "B", "prompt": "b", "after": [0]}, {"title": "C"}]
    common = {"workspace": people.workspace.pk, "backend": "codex", "run": "1"}
    _, told = send(people, "/plan/create", items=json.dumps(items), **common)
    assert told["text"] == "Created 3 tasks, queued 2."
    assert told["reasons"]
    assert [step["verb"] for step in told["undo"]] == ["unqueue", "uncreate"]


@pytest.mark.parametrize("items", ["", "[", "{}", "[1]", '[{"title": 1}]', '[{"after": [true]}]', "[[[]]]"])
def test_items_that_no_page_sends_are_refused(people: People, items: str) -> None:
    status, told = send(people, "/plan/create", items=items, workspace=people.workspace.pk, backend="codex")
    assert status == 400
    assert told["error"]
    assert Task.objects.count() == 1


def test_the_workspace_of_others_can_not_be_chosen(people: People) -> None:
    data = {"items": '[{"title": "a"}]', "workspace": people.workspace.pk, "backend": "codex"}
    assert people.browser("stranger").post("/plan/create", data, headers=HTMX).status_code == 409
    assert Task.objects.count() == 1
