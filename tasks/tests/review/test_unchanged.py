"""The lines around the hunks of a diff: which are offered, and what is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.models import Task
from tasks.review.unchanged import MOST_LINES
from tasks.tests.factories import make_user
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from workspaces.git.diffs import key_of

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
LONG = [f"line {number} <b>" for number in range(1, 301)]


@pytest.fixture
def work(home: Path, tmp_path: Path) -> tuple[Client, Task]:
    history = small_repo(tmp_path / "shop")
    history.commit("main", {"long.txt": "\n".join(LONG) + "\n", "gone.txt": "a\nb\n"}, parent="main").write()
    edited = [*LONG[:99], "added", "added too", *LONG[99:119], "changed", *LONG[120:]]
    files = {"long.txt": "\n".join(edited) + "\n", "gone.txt": None, "new.txt": "a\nb\n"}
    history.commit("one", files, parent="main").write()
    user = make_user()
    client = Client()
    client.force_login(user)
    return client, task_with(workspace_of(history.repo, owner=user), history.repo, "one")


def shown(client: Client, task: Task, path: str, **query: str) -> str:
    return str(client.get(f"/tasks/{task.pk}/diff/file", {"key": key_of(path), **query}).content.decode())


def gaps(html: str) -> list[tuple[tuple[int, int, int], list[str]]]:
    """The hidden lines of each row that has any (first, last, offset), and its buttons."""
    rows = re.findall(
        r'<tr class="hunk" data-first="(\d+)" data-last="(\d+)" data-offset="(-?\d+)">(.*?)</tr>', html
    )
    return [
        ((int(first), int(last), int(offset)), re.findall(r'data-more="(\w+)"', rest))
        for first, last, offset, rest in rows
    ]


def lines(client: Client, task: Task, first: int, last: int, offset: int, **query: str) -> Any:
    values: dict[str, Any] = {"first": first, "last": last, "offset": offset, **query}
    values["key"] = key_of("long.txt")
    return client.get(f"/tasks/{task.pk}/diff/lines", values)


@pytest.mark.parametrize("split", ["", "1"])
def test_gaps_before_between_and_after_hunks_are_offered(work: tuple[Client, Task], split: str) -> None:
    client, task = work
    assert gaps(shown(client, task, "long.txt", split=split)) == [
        ((1, 96, 0), ["up"]),
        ((105, 118, -2), ["all"]),
        ((126, 302, -2), ["down"]),
    ]


@pytest.mark.parametrize("path", ["gone.txt", "new.txt"])
def test_a_file_that_is_shown_as_a_whole_offers_nothing(work: tuple[Client, Task], path: str) -> None:
    client, task = work
    assert gaps(shown(client, task, path)) == []


@pytest.mark.parametrize("split", ["", "1"])
def test_lines_have_the_numbers_of_both_sides_and_are_escaped(work: tuple[Client, Task], split: str) -> None:
    client, task = work
    html = lines(client, task, 105, 118, -2, split=split).content.decode()
    assert html.count("<tr>") == 14
    assert 'data-side="old" data-line="103"' in html
    assert 'data-side="new" data-line="105"' in html
    assert "line 103 &lt;b&gt;" in html
    assert "added" not in html


def test_lines_after_the_end_are_not_made_up(work: tuple[Client, Task]) -> None:
    client, task = work
    html = lines(client, task, 300, 400, -2).content.decode()
    assert html.count("<tr>") == 3


@pytest.mark.parametrize(
    "values",
    [
        {"first": 0, "last": 5, "offset": 0},
        {"first": 5, "last": 4, "offset": 0},
        {"first": 1, "last": 5, "offset": -1},
        {"first": 1, "last": MOST_LINES + 1, "offset": 0},
        {"first": "x", "last": 5, "offset": 0},
        {"first": 1, "last": 10**12, "offset": 0},
        {"first": 1, "last": 5},
        {"first": 1, "last": 5, "offset": 0, "key": key_of("../secret")},
        {"first": 1, "last": 5, "offset": 0, "key": key_of("gone.txt")},
        {"first": 1, "last": 5, "offset": 0, "range": "commit:" + "0" * 40},
    ],
)
def test_what_cannot_be_shown_is_refused(work: tuple[Client, Task], values: dict[str, Any]) -> None:
    client, task = work
    answer = client.get(f"/tasks/{task.pk}/diff/lines", {"key": key_of("long.txt"), **values})
    assert answer.status_code == 409
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_strangers_get_no_lines(work: tuple[Client, Task]) -> None:
    _, task = work
    stranger = Client()
    stranger.force_login(make_user("stranger"))
    assert lines(stranger, task, 1, 5, 0).status_code == 404
