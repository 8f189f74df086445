"""One verb with many tasks: what it does, what it leaves out and why, and how it is taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.many import services
from tasks.many.verbs import ManyVerb
from tasks.models import Run, Task, Verdict
from tasks.tests.api_client import Script
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import HTMX, People, browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


def tasks_of(people: People, count: int, **fields: Any) -> list[Task]:
    return [make_task(workspace=people.workspace, **fields) for _ in range(count)]


def do(client: Client, verb: str, tasks: list[Task] | None = None, **more: Any) -> dict[str, Any]:
    data = {"verb": verb, "task": [task.pk for task in tasks or []], **more}
    response = client.post("/tasks/many", data, headers=HTMX)
    assert response.status_code == 200, response.content
    return dict(json.loads(response.content))


def undo(client: Client, outcome: dict[str, Any]) -> None:
    for step in outcome["undo"]:
        client.post("/tasks/many", {"verb": step["verb"], "task": step["tasks"]}, headers=HTMX)


def statuses(tasks: list[Task]) -> list[str]:
    return [Task.objects.get(pk=task.pk).status for task in tasks]


def plan(client: Client, verb: str, **query: Any) -> str:
    response = client.get("/tasks/many/plan", {"verb": verb, **query}, headers=HTMX)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_tasks_that_can_run_are_queued_and_the_others_are_left_out_with_the_reason(
    client: Client, people: People
) -> None:
    ready, busy = tasks_of(people, 8), tasks_of(people, 2, status="running")
    for task in busy:
        make_run(task=task, state="running")
    outcome = do(client, "run", [*ready, *busy])
    assert outcome["text"] == "Queued 8 of 10 tasks."
    assert outcome["reasons"] == [
        f"2 left out (#{busy[0].pk}, #{busy[1].pk}): A run of this task is in progress."
        " Wait until it has ended, or cancel it."
    ]
    assert outcome["kind"] == "needs"
    assert Run.objects.filter(task__in=ready).count() == 8


def test_a_queue_that_was_filled_can_be_emptied_again(client: Client, people: People) -> None:
    tasks = tasks_of(people, 3)
    undo(client, do(client, "run", tasks))
    live = Run.objects.filter(state__in=Run.LIVE)
    assert statuses(tasks).count("backlog") == 3 - live.count()


def test_the_tasks_of_others_are_not_told_from_tasks_that_do_not_exist(people: People) -> None:
    stranger = people.browser("stranger")
    for tasks in ([people.task.pk], [987654]):
        response = stranger.post("/tasks/many", {"verb": "delete", "task": tasks}, headers=HTMX)
        told = json.loads(response.content)
        assert told["reasons"] == [f"1 left out (#{tasks[0]}): There is no such task."]
    assert Task.objects.filter(pk=people.task.pk).exists()


def test_each_task_is_checked_for_the_user(people: People) -> None:
    foreign = make_task()
    outcome = do(people.browser("owner"), "delete", [people.task, foreign])
    assert outcome["done"] == [people.task.pk]
    assert list(Task.objects.all()) == [foreign]


@pytest.mark.parametrize(("verb", "status"), [("move-review", "review"), ("close", "done")])
def test_moves_are_taken_back_to_where_each_task_was(
    client: Client, people: People, verb: str, status: str
) -> None:
    tasks = [*tasks_of(people, 3), *tasks_of(people, 2, status="review" if status == "done" else "done")]
    places = Task.objects.filter(pk__in=[t.pk for t in tasks]).values_list("pk", "status", "rank")
    before = list(places.all())
    outcome = do(client, verb, tasks)
    assert set(statuses(tasks)) == {status}
    undo(client, outcome)
    assert (
        list(Task.objects.filter(pk__in=[t.pk for t in tasks]).values_list("pk", "status", "rank")) == before
    )


def test_deleting_and_merging_can_not_be_taken_back_here(client: Client, people: People) -> None:
    assert do(client, "delete", [people.task])["undo"] == []
    assert not Task.objects.exists()


def test_a_task_that_has_changed_since_it_was_planned_is_left_out(
    client: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_of(people, 2)
    planned = services.plan_for(ManyVerb.MOVE_TO_REVIEW, tasks)
    monkeypatch.setattr(services, "plan_for", lambda *_: planned)
    Task.objects.filter(pk=tasks[0].pk).update(status="done")
    outcome = do(client, "move-review", tasks)
    assert outcome["done"] == [tasks[1].pk]
    assert "moved this task in the meantime" in outcome["reasons"][0]


def test_a_column_is_run_with_what_the_filter_shows_and_no_more(client: Client, people: People) -> None:
    other = make_workspace(owner=people.owner, name="other place")
    elsewhere = [make_task(workspace=other, title="Elsewhere") for _ in range(3)]
    here = tasks_of(people, 25)
    shown = plan(client, "run", column="backlog", workspace=people.workspace.pk)
    assert "Run 26 tasks?" in shown
    assert "other place" not in shown
    outcome = do(client, "run", column="backlog", workspace=people.workspace.pk)
    assert len(outcome["done"]) == 26
    assert set(statuses(elsewhere)) == {"backlog"}
    assert "backlog" not in statuses(here)


def test_the_dialog_says_for_each_workspace_what_will_happen(client: Client, people: People) -> None:
    other = make_workspace(
        owner=people.owner, name="other place", base_branch="trunk", check_command="make t"
    )
    for workspace, count in ((people.workspace, 2), (other, 1)):
        for _ in range(count):
            task = make_task(workspace=workspace, status="review", branch="b")
            make_run(task=task, state="succeeded")
            Verdict.objects.create(task=task, kind=Verdict.Kind.ACCEPTED)
    make_task(workspace=other, status="review", branch="b")
    text = plan(client, "merge", column="review")
    assert "Merge 3 accepted tasks?" in text
    assert "<b>web shop</b>: 2 tasks into <code>main</code>, without a check." in text
    assert (
        "<b>other place</b>: 1 task into <code>trunk</code>, each checked first by <code>make t</code>."
        in text
    )
    assert f'href="/workspaces/{other.pk}/merge?task={task.pk}"' in text


def test_running_what_was_worked_on_is_said(client: Client, people: People) -> None:
    done = tasks_of(people, 2, status="done")
    text = plan(client, "run", task=[people.task.pk, *[task.pk for task in done]])
    assert "2 of them have been worked on already" in text


def test_what_is_not_accepted_is_not_merged(client: Client, people: People) -> None:
    task = make_task(workspace=people.workspace, status="review", branch="b")
    outcome = do(client, "merge", [task])
    assert (outcome["done"], outcome["kind"]) == ([], "failed")
    assert "This task is not accepted." in outcome["reasons"][0]


def test_a_failed_run_is_not_accepted_with_the_others(client: Client, people: People) -> None:
    task = make_task(workspace=people.workspace, status="review", branch="b")
    make_run(task=task, state="failed")
    assert "Its last run did not succeed." in do(client, "accept", [task])["reasons"][0]


def test_the_bar_counts_what_is_possible_and_says_why_not_more(client: Client, people: People) -> None:
    running = make_task(workspace=people.workspace, status="running")
    make_run(task=running, state="running")
    query = {"task": [people.task.pk, running.pk]}
    html = " ".join(client.get("/tasks/many/bar", query, headers=HTMX).content.decode().split())
    assert "2 selected" in html
    assert "Run 1 of 2" in html
    assert f"1 left out (#{running.pk}): A run of this task is in progress." in html
    assert "Cancel run 1 of 2" in html
    assert 'data-many="archive"' not in html


class TestArchive:
    @pytest.fixture
    def merged(self, people: People) -> list[Task]:
        tasks = tasks_of(people, 3, status="done")
        for task in tasks[:2]:
            Verdict.objects.create(task=task, kind=Verdict.Kind.MERGED)
        return tasks

    def board(self, client: Client, **query: Any) -> str:
        return client.get("/board/columns", query).content.decode()

    def test_the_head_of_done_archives_what_was_merged(self, client: Client, merged: list[Task]) -> None:
        outcome = do(client, "archive", column="done")
        assert outcome["text"] == "Archived 2 tasks."
        html = self.board(client)
        assert [task.title in html for task in merged] == [False, False, True]
        assert 'id="count-done">1<' in html

    def test_archived_tasks_are_found_and_come_back(self, client: Client, merged: list[Task]) -> None:
        outcome = do(client, "archive", merged)
        assert all(task.title in self.board(client, q="Task") for task in merged)
        undo(client, outcome)
        assert all(task.title in self.board(client) for task in merged)

    def test_the_way_back_keeps_the_place_in_done(self, client: Client, merged: list[Task]) -> None:
        before = list(Task.objects.order_by("pk").values_list("updated_at", "rank"))
        undo(client, do(client, "archive", merged))
        assert list(Task.objects.order_by("pk").values_list("updated_at", "rank")) == before

    def test_a_task_that_leaves_done_is_shown_again(self, client: Client, merged: list[Task]) -> None:
        do(client, "archive", merged)
        do(client, "move-backlog", merged[:1])
        do(client, "run", merged[1:2])
        assert list(Task.objects.exclude(archived_at=None)) == [merged[2]]
        assert merged[0].title in self.board(client)

    @pytest.mark.parametrize("status", ["backlog", "review"])
    def test_only_done_tasks_can_be_archived(self, client: Client, people: People, status: str) -> None:
        task = make_task(workspace=people.workspace, status=status)
        assert "Only tasks in Done" in do(client, "archive", [task])["reasons"][0]


def test_a_script_does_the_same(people: People) -> None:
    script, foreign = Script(people.owner), make_task()
    told = script.post("/tasks/many", {"verb": "close", "tasks": [people.task.pk, foreign.pk]})
    assert told["done"] == [people.task.pk]
    assert [one["task"] for one in told["left_out"]] == [foreign.pk]
    script.post("/tasks/many", {"verb": "archive", "tasks": [people.task.pk]})
    assert script.get(f"/tasks/{people.task.pk}")["archived"] is True


def test_a_request_is_bounded(client: Client, people: People) -> None:
    data = {"verb": "run", "task": list(range(1, services.MOST_AT_ONCE + 2))}
    response = client.post("/tasks/many", data, headers=HTMX)
    assert response.status_code == 409
    assert "At most 200 tasks" in json.loads(response.content)["error"]


@pytest.mark.parametrize("verb", ["", "nothing", "split"])
def test_a_verb_that_does_not_exist_is_not_found(client: Client, verb: str) -> None:
    assert client.post("/tasks/many", {"verb": verb, "task": 1}).status_code == 404


@pytest.mark.parametrize("column", ["nowhere", "\0"])
def test_a_column_that_does_not_exist_is_refused(client: Client, column: str) -> None:
    assert client.post("/tasks/many", {"verb": "run", "column": column}).status_code == 400


@pytest.mark.parametrize("path", ["/tasks/many/bar", "/tasks/many/plan"])
def test_what_is_shown_needs_a_login(path: str) -> None:
    assert browser_of(None).get(path).status_code == 302


def test_planning_asks_the_database_as_often_for_many_tasks_as_for_few(people: People) -> None:
    def statements(count: int) -> int:
        tasks = tasks_of(people, count, status="review", branch="b")
        with CaptureQueriesContext(connection) as made:
            for verb in ManyVerb:
                services.plan_for(verb, services.tasks_named(people.owner, [task.pk for task in tasks]))
        return len(made)

    assert statements(2) == statements(40)
