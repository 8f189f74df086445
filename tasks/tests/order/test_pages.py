"""The order of tasks on cards, on the page of a task, in forms and as a graph."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.board.cards import cards_of
from tasks.models import Task
from tasks.order.graph import layers_of, longest_chain, work_left
from tasks.order.named import numbers_in
from tasks.runs import dispatch
from tasks.tests.factories import make_task, make_workspace
from tasks.tests.order.scene import after, finished, judged, queued
from tasks.tests.people import HTMX, People, send


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("member")


def html_of(client: Client, path: str) -> str:
    return " ".join(client.get(path, headers=HTMX).content.decode().split())


@pytest.mark.django_db
class TestCard:
    def test_it_names_what_it_comes_after_until_that_is_merged(self, people: People, client: Client) -> None:
        first = finished(workspace=people.workspace, title="<b>First</b>")
        after(people.task, first)
        html = html_of(client, "/")
        assert f"after #{first.pk}" in html
        assert "<b>First" not in html
        judged(first, "merged", "done")
        assert f"after #{first.pk}" not in html_of(client, "/")

    def test_many_are_counted(self, people: People, client: Client) -> None:
        after(people.task, *(make_task(workspace=people.workspace) for _ in range(5)))
        assert "after 5 tasks" in html_of(client, "/")

    def test_it_says_why_it_waits_and_offers_a_way_out_if_that_does_not_end(
        self, people: People, client: Client
    ) -> None:
        first = finished(workspace=people.workspace, title="First")
        queued(after(people.task, first))
        dispatch.start_queued(people.workspace.pk)
        html = html_of(client, "/")
        assert "“First” to be merged." in html
        assert f"/tasks/{people.task.pk}/start-anyway" not in html
        assert f"/tasks/{people.task.pk}/start-anyway" in html_of(client, f"/tasks/{people.task.pk}")
        judged(first, "dropped", "done")
        dispatch.start_queued(people.workspace.pk)
        assert "“First” was discarded." in html_of(client, "/")
        assert f"/tasks/{people.task.pk}/start-anyway" in html_of(client, "/")
        assert send(client, f"/tasks/{people.task.pk}/start-anyway").status_code == 204
        assert "start-anyway" not in html_of(client, "/")

    def test_any_number_of_cards_needs_the_same_queries(self, people: People) -> None:
        counts = []
        for number in (2, 12):
            tasks = [make_task(workspace=people.workspace) for _ in range(number)]
            for task in tasks[1:]:
                queued(after(task, tasks[0]))
            with CaptureQueriesContext(connection) as queries:
                assert all(card.after for card in cards_of(tasks)[1:])
                assert not any(card.is_stuck for card in cards_of(tasks))
            counts.append(len(queries))
        assert counts[0] == counts[1]


@pytest.mark.django_db
class TestTaskPage:
    def test_it_lists_what_it_comes_after_and_before(self, people: People, client: Client) -> None:
        first = finished(workspace=people.workspace, title="First")
        third = after(make_task(workspace=people.workspace, title="Third"), people.task)
        after(people.task, first)
        html = html_of(client, f"/tasks/{people.task.pk}")
        assert f'<a href="/tasks/{first.pk}" title="First">#{first.pk} First</a>' in html
        assert f'href="/tasks/{third.pk}" title="Third"' in html
        assert "In review" in html

    def test_tasks_are_added_by_number_or_title_and_removed(self, people: People, client: Client) -> None:
        first = make_task(workspace=people.workspace, title="Paint the door")
        second = make_task(workspace=people.workspace, title="Oil the hinge")
        path = f"/tasks/{people.task.pk}/after"
        answer = send(client, path, after=f"#{first.pk}, hinge", after_until="merged")
        assert f"Comes after #{first.pk}, #{second.pk}." in answer.headers["HX-Trigger"]
        assert people.task.after == [first.pk, second.pk]
        send(client, f"{path}/{first.pk}/remove")
        assert people.task.after == [second.pk]
        send(client, path, after=str(first.pk), after_until="finished")
        assert people.task.after == [second.pk]  # two branches are no start

    def test_what_can_not_be_added_is_said(self, people: People, client: Client) -> None:
        answer = send(client, f"/tasks/{people.task.pk}/after", after=str(people.task.pk))
        assert answer.status_code == 409
        assert "can't come after itself" in json.loads(answer.headers["HX-Trigger"])["toast"]["text"]

    def test_a_deleted_one_has_no_link_but_can_be_removed(self, people: People, client: Client) -> None:
        first = make_task(workspace=people.workspace, title="Gone")
        after(people.task, first)
        number = first.pk
        first.delete()
        html = html_of(client, f"/tasks/{people.task.pk}")
        assert f"#{number} Gone" in html
        assert f'href="/tasks/{number}"' not in html
        send(client, f"/tasks/{people.task.pk}/after/{number}/remove")
        assert people.task.after == []

    @pytest.mark.parametrize("path", ["after", "after/1/remove", "start-anyway"])
    def test_strangers_change_nothing(self, people: People, path: str) -> None:
        answer = send(people.browser("stranger"), f"/tasks/{people.task.pk}/{path}", after="1")
        assert answer.status_code == 404

    def test_suggestions_are_for_those_of_the_workspace(self, people: People, client: Client) -> None:
        path = f"/workspaces/{people.workspace.pk}/graph/tasks"
        expected = [{"number": people.task.pk, "title": people.task.title}]
        assert client.get(path).json()["tasks"] == expected
        assert people.browser("stranger").get(path).status_code == 404


@pytest.mark.django_db
class TestForms:
    def test_a_new_task_may_come_after_others(self, people: People, client: Client) -> None:
        body = {"text": "New", "workspace": people.workspace.pk, "backend": "codex"}
        order = {"after": f"#{people.task.pk}", "after_until": "finished"}
        assert send(client, "/tasks/new", **body, **order).status_code == 204
        task = Task.objects.latest("pk")
        assert (task.after, task.after_until) == ([people.task.pk], "finished")

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [("after", "no such title", "No open task"), ("after", "999999", "no task #999999")],
    )
    def test_a_wrong_entry_comes_back(
        self, people: People, client: Client, field: str, value: str, words: str
    ) -> None:
        body = {"text": "New", "workspace": people.workspace.pk, "backend": "codex", field: value}
        answer = send(client, "/tasks/new", **body)
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert value in answer.content.decode()
        assert Task.objects.count() == 1

    def test_editing_shows_and_keeps_the_order(self, people: People, client: Client) -> None:
        first = make_task(workspace=people.workspace)
        after(people.task, first)
        html = html_of(client, f"/tasks/{people.task.pk}/edit")
        assert f'value="#{first.pk}"' in html
        found = re.search(r'name="shown" value="([^"]*)"', html)
        assert found
        shown = found[1].replace("&quot;", '"')
        body = {"title": "New title", "prompt": "x", "backend": "claude_code", "shown": shown}
        order = {"after": f"#{first.pk}", "after_until": "merged", "base_branch": "", "priority": "0"}
        assert send(client, f"/tasks/{people.task.pk}/edit", **body, **order).status_code == 204
        people.task.refresh_from_db()
        assert (people.task.title, people.task.after) == ("New title", [first.pk])

    def test_a_duplicate_has_the_same_order(self, people: People, client: Client) -> None:
        first = make_task(workspace=people.workspace)
        after(people.task, first)
        assert f'value="#{first.pk}"' in html_of(client, f"/tasks/new?like={people.task.pk}")


@pytest.mark.django_db
class TestNames:
    def test_numbers_and_titles(self, people: People) -> None:
        other = make_task(workspace=people.workspace, title="Fix #7, soon")
        place = people.workspace
        assert numbers_in("#3, 4 5 #6,, ", place) == [3, 4, 5, 6]
        assert numbers_in(f"#{other.pk} Fix #7", place) == [other.pk]
        assert numbers_in("sort the SHELVES", place) == [people.task.pk]

    def test_an_ambiguous_title_names_the_candidates(self, people: People) -> None:
        for number in range(5):
            make_task(workspace=people.workspace, title=f"Sort {number}")
        with pytest.raises(Exception, match="Several tasks have “sort”"):
            numbers_in("sort", people.workspace)

    def test_a_title_of_another_workspace_is_unknown(self, people: People) -> None:
        make_task(workspace=make_workspace(), title="Elsewhere")
        with pytest.raises(Exception, match="No open task"):
            numbers_in("elsewhere", people.workspace)


@st.composite
def edges(draw: st.DrawFn) -> dict[int, list[int]]:
    count = draw(st.integers(2, 12))
    found = {
        number: sorted(draw(st.sets(st.integers(1, number - 1), max_size=3))) for number in range(2, count)
    }
    return {number: before for number, before in found.items() if before}


@given(edges())
@settings(max_examples=200, deadline=None)
def test_layers_go_from_left_to_right_and_the_chain_is_a_longest_one(graph: dict[int, list[int]]) -> None:
    layers = layers_of(graph)
    assert all(layers[each] < layers[node] for node, before in graph.items() for each in before)
    chain = longest_chain(graph, {})
    assert len(chain) == (max(layers.values()) + 1 if layers else 0)
    assert all(right in graph[left] for left, right in pairwise(chain))


def test_the_chain_with_more_work_left_is_the_longest_one() -> None:
    graph = {3: [2], 2: [1], 5: [4]}  # three short tasks after each other, and two long ones
    assert longest_chain(graph, {1: 1, 2: 1, 3: 1, 4: 3, 5: 3}) == [5, 4]
    assert longest_chain(graph, {1: 3, 2: 3, 3: 3, 4: 3, 5: 3}) == [3, 2, 1]


@pytest.mark.parametrize(
    ("fields", "work"),
    [
        ({"status": "review", "reasoning_effort": "max"}, 1),
        ({"status": "backlog", "reasoning_effort": "low"}, 2),
        ({"status": "running", "reasoning_effort": ""}, 3),
        ({"status": "queued", "reasoning_effort": "of a newer CLI"}, 3),
        ({"status": "backlog", "reasoning_effort": "max"}, 6),
    ],
)
def test_work_is_left_by_status_and_effort(fields: dict[str, str], work: int) -> None:
    assert work_left(Task(**fields)) == work


@pytest.mark.django_db
class TestGraph:
    def test_without_any_order_it_says_what_to_do(self, people: People, client: Client) -> None:
        assert "No open task comes after another one" in html_of(
            client, f"/workspaces/{people.workspace.pk}/graph"
        )

    def test_it_shows_who_waits_for_whom(self, people: People, client: Client) -> None:
        first = make_task(workspace=people.workspace, title="First <i>")
        last = make_task(workspace=people.workspace, title="Last")
        after(people.task, first)
        after(last, people.task)
        html = html_of(client, f"/workspaces/{people.workspace.pk}/graph")
        assert "The longest chain has 3 tasks" in html
        assert html.count('class="edge is-critical"') == 2
        assert f'aria-label="#{last.pk} Last Backlog, after #{people.task.pk}, on the longest chain"' in html
        assert "First <i>" not in html
        assert "style=" not in html[html.index("<svg") : html.index("</svg>")]

    def test_merged_tasks_are_gone_and_stuck_ones_stay(self, people: People, client: Client) -> None:
        done = judged(finished(workspace=people.workspace, title="Merged one"), "merged", "done")
        dropped = judged(finished(workspace=people.workspace, title="Dropped one"), "dropped", "done")
        after(people.task, done, dropped)
        html = html_of(client, f"/workspaces/{people.workspace.pk}/graph")
        assert "Merged one" not in html
        assert "Dropped one" in html
        assert "Discarded" in html

    def test_two_hundred_tasks_need_few_queries(self, people: People, client: Client) -> None:
        tasks = [make_task(workspace=people.workspace) for _ in range(200)]
        for number, task in enumerate(tasks[1:], 1):
            after(task, tasks[number // 2])
        with CaptureQueriesContext(connection) as queries:
            html_of(client, f"/workspaces/{people.workspace.pk}/graph")
        assert len(queries) < 20

    def test_strangers_see_none(self, people: People) -> None:
        assert people.browser("stranger").get(f"/workspaces/{people.workspace.pk}/graph").status_code == 404
