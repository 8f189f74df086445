"""The order of tasks by the API."""

from __future__ import annotations

import pytest

from tasks.models import Run
from tasks.tests.api_client import Script
from tasks.tests.factories import make_task, make_user, make_workspace
from tasks.tests.order.scene import after, queued
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return Script(make_user("olga"))


@pytest.fixture
def workspace(script: Script) -> Workspace:
    return make_workspace(owner=script.user)


def test_a_task_has_its_order(script: Script, workspace: Workspace) -> None:
    first, second = make_task(workspace=workspace), make_task(workspace=workspace)
    body = {"workspace": workspace.pk, "title": "x", "after": [second.pk, first.pk], "base_branch": "release"}
    made = script.post("/tasks", body)
    assert script.status == 201
    expected = {"after": [first.pk, second.pk], "after_until": "merged", "base_branch": "release"}
    assert {name: made[name] for name in expected} == expected
    changed = script.patch(f"/tasks/{made['id']}", {"after": [first.pk], "base_branch": None})
    changed = script.patch(f"/tasks/{made['id']}", {"after_until": "finished"})
    assert (changed["after"], changed["after_until"], changed["base_branch"]) == ([first.pk], "finished", "")
    assert script.patch(f"/tasks/{made['id']}", {"title": "y"})["after"] == [first.pk]
    assert script.patch(f"/tasks/{made['id']}", {"after": []})["after"] == []


def test_a_circle_is_422_with_the_way(script: Script, workspace: Workspace) -> None:
    first, second = make_task(workspace=workspace), make_task(workspace=workspace)
    script.patch(f"/tasks/{second.pk}", {"after": [first.pk]})
    answer = script.patch(f"/tasks/{first.pk}", {"after": [second.pk]})
    assert script.status == 422
    assert f"#{second.pk} after #{first.pk}" in answer["detail"]
    assert script.get(f"/tasks/{first.pk}")["after"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"after": [0]},
        {"after": [2**70]},
        {"after": ["1"]},
        {"after": 1},
        {"after": None},
        {"after": list(range(1, 60))},
        {"after_until": "later"},
        {"after_until": None},
        {"base_branch": "-x"},
        {"base_branch": "a b"},
    ],
)
def test_what_is_no_order_is_422(script: Script, workspace: Workspace, body: dict[str, object]) -> None:
    task = make_task(workspace=workspace)
    script.patch(f"/tasks/{task.pk}", body)
    assert script.status == 422
    script.post("/tasks", {"workspace": workspace.pk, "title": "x", **body})
    assert script.status == 422 or body.get("after_until", "") is None


def test_tasks_of_others_are_none_that_it_can_come_after(script: Script, workspace: Workspace) -> None:
    task, foreign = make_task(workspace=workspace), make_task()
    answer = script.patch(f"/tasks/{task.pk}", {"after": [foreign.pk]})
    assert (script.status, foreign.title in str(answer)) == (422, False)


def test_start_anyway(script: Script, workspace: Workspace) -> None:
    run = queued(after(make_task(workspace=workspace), make_task(workspace=workspace)))
    assert script.post(f"/tasks/{run.task_id}/start-anyway")["id"] == run.task_id
    assert Run.objects.get(pk=run.pk).starts_anyway
    script.post(f"/tasks/{run.task_id}/start-anyway")
    assert script.status == 409


def test_many_tasks_cost_one_query_for_their_order(
    script: Script, workspace: Workspace, django_assert_max_num_queries: object
) -> None:
    tasks = [make_task(workspace=workspace) for _ in range(10)]
    for left, right in zip(tasks[1:], tasks, strict=False):
        after(left, right)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        found = script.get(f"/tasks?workspace={workspace.pk}")
    assert [task["after"] for task in found] == [[], *([task.pk] for task in tasks[:-1])]
