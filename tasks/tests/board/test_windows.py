"""The board reads a window of each column, however many tasks there are."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import Case, When
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.board import queries
from tasks.board.queries import WINDOW, Filter
from tasks.models import Run, Task
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import People, browser_of
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def many(workspace: Workspace, count: int, **fields: object) -> list[Task]:
    """Tasks made in one statement, each at the end of its column."""
    rows = [
        Task(workspace=workspace, title=f"number {n}", backend="codex", **{"rank": float(n), **fields})
        for n in range(count)
    ]
    return Task.objects.bulk_create(rows)


def columns(people: People, **sizes: int) -> dict[str, queries.Column]:
    return {column.status: column for column in queries.board(people.owner, sizes=sizes).columns}


def titles(html: str) -> list[str]:
    return re.findall(r"number \d+(?=</a>)", html)


def all_pages(client: Client, status: str, **query: str) -> list[str]:
    """The titles of a column, as a page that scrolls to its end gets them."""
    html = client.get("/board/columns", query).content.decode()
    found = titles(html.split(f'id="col-{status}"')[1].split("</section>")[0])
    while more := re.search(rf"/board/cards/{status}\?after=([^\"]+)", html):
        html = client.get(f"/board/cards/{status}?after={more[1]}&{urlencode(query)}").content.decode()
        assert 0 < len(titles(html)) <= WINDOW
        found += titles(html)
    return found


def test_a_column_starts_with_a_window_and_counts_all(people: People) -> None:
    many(people.workspace, WINDOW + 7, status="review")
    review = columns(people)["review"]
    assert (len(review.cards), review.count) == (WINDOW, WINDOW + 7)
    assert review.next == Task.objects.filter(status="review").order_by("rank")[WINDOW].pk


def test_a_column_that_is_shown_whole_has_no_more(people: People) -> None:
    many(people.workspace, WINDOW, status="review")
    assert columns(people)["review"].next is None


@pytest.mark.parametrize("status", Task.Status.values)
def test_scrolling_shows_each_task_once_and_in_order(people: People, status: str) -> None:
    tasks = many(people.workspace, 2 * WINDOW + 5, status=status)
    Task.objects.exclude(pk=people.task.pk).update(rank=1.5)  # the same place, told apart by number
    people.task.delete()
    expected = [task.title for task in sorted(tasks, key=lambda task: task.pk)]
    assert all_pages(people.browser("owner"), status) == expected[:: -1 if status == "done" else 1]


def test_done_has_the_last_change_on_top(people: People) -> None:
    tasks = many(people.workspace, WINDOW + 3, status="done")
    now = timezone.now()
    for days, task in enumerate(tasks):
        Task.objects.filter(pk=task.pk).update(updated_at=now - timedelta(days=days % 7, seconds=days))
    expected = Task.objects.filter(status="done").order_by("-updated_at").values_list("title", flat=True)
    assert all_pages(people.browser("owner"), "done") == list(expected)


def test_scrolling_goes_on_in_one_workspace_and_in_a_search(people: People) -> None:
    other = make_workspace(owner=people.owner)
    many(other, WINDOW + 5, status="review", prompt="find me")
    many(people.workspace, WINDOW + 5, status="review")
    client = people.browser("owner")
    assert len(all_pages(client, "review", workspace=str(other.pk))) == WINDOW + 5
    assert len(all_pages(client, "review", q="find me")) == WINDOW + 5


@pytest.mark.parametrize("status", Task.Status.values)
def test_scrolling_by_workspace_shows_one_after_the_other(people: People, status: str) -> None:
    people.task.delete()
    titles_of = {}
    for name, count in (("zebra", 3), ("Ant", WINDOW + 4), ("bee", 2 * WINDOW)):
        workspace = make_workspace(name=name, owner=people.owner)
        tasks = many(workspace, count, status=status)
        Task.objects.filter(workspace=workspace).update(
            priority=Case(When(pk=tasks[1].pk, then=1), default=0)
        )
        in_order = queries.ordered(Task.objects.filter(workspace=workspace), status)
        titles_of[workspace] = [task.title for task in in_order]
    by_name = Workspace.objects.filter(pk__in=[w.pk for w in titles_of]).order_by("name")
    expected = [title for workspace in by_name for title in titles_of[workspace]]
    assert all_pages(people.browser("owner"), status, group="workspace") == expected


def test_one_workspace_has_no_groups(people: People) -> None:
    assert not Filter(people.workspace.pk, by_workspace=True).is_grouped


def test_a_group_whose_workspace_can_no_longer_be_seen_ends(people: People) -> None:
    many(people.workspace, WINDOW + 5, status="review")
    query = {"after": f"0 0:0:{people.workspace.pk}", "group": "workspace"}
    assert titles(people.browser("stranger").get("/board/cards/review", query).content.decode()) == []


@pytest.mark.parametrize(
    "after",
    [
        *("", ":", "::", "1 1:1", "x 1:1:1", "1 1:x:1", "1 1:1:x", "nan 1:1:1", "1 inf:2:1", "1 1e400:1:1"),
        *("1 1:1e9:1", "0x1 1:1:1", "1 1:" + "9" * 40 + ":1", "1 1:1:" + "9" * 40, "1 1:1:1:1"),
    ],
)
@pytest.mark.parametrize("status", ["review", "done"])
def test_a_place_that_does_not_exist_is_answered(people: People, status: str, after: str) -> None:
    response = people.browser("owner").get(f"/board/cards/{status}", {"after": after})
    assert response.status_code in (200, 302)


def test_a_column_that_does_not_exist_is_not_found(people: People) -> None:
    assert people.browser("owner").get("/board/cards/nothing?after=1:1").status_code == 404


def test_further_cards_of_others_are_not_shown(people: People) -> None:
    many(people.workspace, WINDOW + 5, status="review")
    html = people.browser("stranger").get("/board/cards/review?after=0 0:0:0").content.decode()
    assert titles(html) == []


def test_an_update_of_a_page_keeps_what_was_scrolled_in(people: People) -> None:
    many(people.workspace, 3 * WINDOW, status="review")
    html = people.browser("owner").get(f"/board/columns?shown-review={2 * WINDOW}").content.decode()
    assert len(titles(html)) == 2 * WINDOW


@pytest.mark.parametrize("size", ["-1", "0", "99999999", "x", ""])
def test_a_strange_size_shows_a_bounded_window(people: People, size: str) -> None:
    many(people.workspace, queries.LARGEST_WINDOW + 5, status="review")
    html = people.browser("owner").get("/board/columns", {"shown-review": size}).content.decode()
    assert WINDOW <= len(titles(html)) <= queries.LARGEST_WINDOW


def test_the_count_of_what_needs_a_person_is_not_limited_by_the_window(people: People) -> None:
    for task in many(people.workspace, WINDOW + 3, status="running"):
        make_run(task=task, state="waiting")
    board = queries.board(people.owner, Filter(search="nothing has this"))
    assert board.needs_you == WINDOW + 3


def test_the_list_beside_a_task_has_the_task_and_its_neighbours(people: People) -> None:
    tasks = many(people.workspace, 100, status="review")
    shown = queries.siblings(people.owner, tasks[60])
    (review,) = [column for column in shown if column.status == "review"]
    found = [card.task.title for card in review.cards]
    assert {f"number {n}" for n in (*range(57, 64), 0, 1)} <= set(found)
    assert len(found) < 40
    assert review.count == 100


class TestCost:
    @pytest.fixture
    def history(self, people: People) -> People:
        """More tasks and runs than any window shows."""
        for status in Task.Status.values:
            for task in many(people.workspace, 60, status=status)[:20]:
                rows = [
                    Run(task=task, number=n, state="succeeded", backend="codex", permission_mode="ask")
                    for n in range(1, 8)
                ]
                Run.objects.bulk_create(rows)
        return people

    def statements(self, people: People, path: str) -> list[str]:
        client = browser_of(people.owner)
        client.get(path)
        with CaptureQueriesContext(connection) as made:
            assert client.get(path).status_code == 200
        return [query["sql"] for query in made.captured_queries if query["sql"].startswith("SELECT")]

    @pytest.mark.parametrize(
        "path", ["/", "/board/columns", "/tasks/{task}", "/tasks/{task}/side", "/inbox", "/inbox/finished"]
    )
    def test_no_page_reads_all_runs_or_sorts_tasks(self, history: People, path: str) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("plans as SQLite explains them")
        for sql in self.statements(history, path.format(task=history.task.pk)):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                plan = [row[3] for row in cursor.fetchall()]
            # An index that has all that is asked for may be counted through.
            reads_all = [step for step in plan if re.match(r"SCAN (tasks_run|tasks_event)\b", step)]
            reads_all += [s for s in plan if s.startswith("SCAN tasks_task") and "COVERING INDEX" not in s]
            assert reads_all == [], f"{sql}\n{plan}"
            if 'FROM "tasks_task"' in sql:
                assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan), f"{sql}\n{plan}"

    def test_the_number_of_statements_is_the_same_for_many_tasks(self, people: People) -> None:
        make_run(task=make_task(workspace=people.workspace, status="review"), state="succeeded")
        few = len(self.statements(people, "/"))
        for status in Task.Status.values:
            many(people.workspace, 100, status=status)
        assert len(self.statements(people, "/")) == few
