"""An inbox of more requests than anybody reads at once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.conversation.ended import Tab
from tasks.conversation.inbox import MOST_SHOWN, context_of
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People

pytestmark = pytest.mark.django_db


def ask(people: People, number: int, *, same: bool = False) -> None:
    command = "make test" if same else f"make part{number}"
    request = {
        "id": f"r{number}",
        "kind": "approval",
        "tool": "Bash",
        "title": command,
        "input": {"command": command},
        "at": f"2026-11-30T10:{number:02}:00+00:00",
    }
    task = make_task(workspace=people.workspace)
    make_run(task=task, state="waiting", open_requests=[request])


def test_the_oldest_are_shown_and_the_others_counted(people: People) -> None:
    for number in range(MOST_SHOWN + 7):
        ask(people, number)
    page = people.browser("owner").get("/inbox").content.decode()
    assert page.count('class="asked') == MOST_SHOWN
    assert "make part0" in page
    assert f"make part{MOST_SHOWN}" not in page
    assert "<span data-more>7</span> more requests" in page
    assert f'data-count="needs_you">{MOST_SHOWN + 7}<' in page


def test_identical_requests_are_one_of_those_shown(people: People) -> None:
    for number in range(MOST_SHOWN + 7):
        ask(people, number, same=True)
    assert context_of(people.owner, Tab.NEEDS_YOU)["more"] == 0


def test_its_queries_do_not_grow_with_the_requests(people: People) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as made:
            context_of(people.owner, Tab.NEEDS_YOU)
        return len(made)

    ask(people, 1)
    few = statements()
    for number in range(2, 2 * MOST_SHOWN):
        ask(people, number)
    assert statements() == few
