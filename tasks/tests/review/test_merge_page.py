"""The merge page ticks what was accepted or chosen, and nothing else."""

from __future__ import annotations

import re

import pytest

from tasks.models import Task, Verdict
from tasks.tests.factories import make_run, make_task
from tasks.tests.order.scene import after
from tasks.tests.people import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def finished(people: People) -> list[Task]:
    """Three in review with a branch each; the last one has no changes."""
    tasks = [
        make_task(
            workspace=people.workspace,
            title=f"Work {n}",
            status="review",
            branch=f"aitask/{n}",
            files_changed=2 - n,
        )
        for n in range(3)
    ]
    for task in tasks:
        make_run(task=task, state="succeeded")
    return tasks


def ticked(people: People, query: str = "") -> list[int]:
    html = people.browser("owner").get(f"/workspaces/{people.workspace.pk}/merge{query}").content.decode()
    boxes = re.findall(r'<input type="checkbox"\s+name="task"[^>]*>', html)
    assert len(boxes) == 3
    return [int(pk) for box in boxes if "checked" in box for pk in re.findall(r'value="(\d+)"', box)]


def test_nothing_is_ticked_before_something_was_accepted(people: People, finished: list[Task]) -> None:
    assert ticked(people) == []


def test_what_was_accepted_is_ticked(people: People, finished: list[Task]) -> None:
    Verdict.objects.create(task=finished[1], kind=Verdict.Kind.ACCEPTED)
    assert ticked(people) == [finished[1].pk]


def test_only_what_was_chosen_on_the_board_is_ticked(people: People, finished: list[Task]) -> None:
    for task in finished[:2]:
        Verdict.objects.create(task=task, kind=Verdict.Kind.ACCEPTED)
    assert ticked(people, f"?task={finished[0].pk}&task=x&task=99999") == [finished[0].pk]


def test_tasks_without_changes_are_folded(people: People, finished: list[Task]) -> None:
    html = people.browser("owner").get(f"/workspaces/{people.workspace.pk}/merge").content.decode()
    before, folded = html.split("without known changes")
    assert finished[0].title in before
    assert finished[2].title not in before
    assert finished[2].title in folded


def test_tasks_stand_after_those_that_they_come_after(people: People, finished: list[Task]) -> None:
    first, second, third = finished
    after(first, second, third)
    html = people.browser("owner").get(f"/workspaces/{people.workspace.pk}/merge").content.decode()
    assert html.index(f'id="merge-{second.pk}"') < html.index(f'id="merge-{first.pk}"')
    assert f"#{second.pk} (in review)" in html
