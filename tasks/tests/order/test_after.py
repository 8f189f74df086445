"""Setting which tasks come after which: circles, races, and what does not fit together."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, close_old_connections, connection
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.lib.errors import Refused
from tasks import editing, services
from tasks.models import Dependency, Task
from tasks.order import services as order
from tasks.tests.factories import make_task, make_user, make_workspace
from tasks.tests.order.scene import after


def tasks_of_one_workspace(count: int) -> list[Task]:
    workspace = make_workspace()
    return [make_task(workspace=workspace) for _ in range(count)]


def refused(task: Task, **fields: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        editing.update_task(task, **fields)
    return dict(refusal.value.message_dict)


@pytest.mark.django_db
class TestSetting:
    def test_a_task_comes_after_others(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        editing.update_task(third, after=[second.pk, first.pk])
        assert third.after == [first.pk, second.pk]

    def test_what_is_not_named_any_more_is_removed_and_the_rest_stays(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        editing.update_task(third, after=[first.pk, second.pk])
        kept = Dependency.objects.get(number=second.pk).pk
        editing.update_task(third, after=[second.pk])
        assert list(third.dependencies.values_list("pk", flat=True)) == [kept]

    def test_other_fields_leave_the_order_alone(self) -> None:
        first, second = tasks_of_one_workspace(2)
        after(second, first)
        editing.update_task(second, title="Other")
        assert second.after == [first.pk]

    def test_a_new_task_may_come_after_others(self) -> None:
        (first,) = tasks_of_one_workspace(1)
        task = services.create_task(
            first.workspace, None, services.TaskFields(title="x", after=[first.pk], after_until="finished")
        )
        assert (task.after, task.after_until) == ([first.pk], "finished")

    def test_a_new_task_with_a_wrong_predecessor_is_not_created(self) -> None:
        workspace = make_workspace()
        with pytest.raises(ValidationError):
            services.create_task(workspace, None, services.TaskFields(title="x", after=[10**6]))
        assert not workspace.tasks.exists()

    @pytest.mark.parametrize("number", [0, -1, 2**63, 10**30, 10**6])
    def test_a_number_that_is_no_task_is_named(self, number: int) -> None:
        (task,) = tasks_of_one_workspace(1)
        assert f"no task #{number}" in refused(task, after=[number])["after"][0]

    def test_a_task_of_another_workspace_is_none_of_this_one(self) -> None:
        task, stranger = make_task(), make_task()
        assert refused(task, after=[stranger.pk]) == {
            "after": [f"This workspace has no task #{stranger.pk}."]
        }

    def test_a_task_does_not_come_after_itself(self) -> None:
        (task,) = tasks_of_one_workspace(1)
        assert refused(task, after=[task.pk]) == {"after": ["A task can't come after itself."]}

    def test_a_circle_is_refused_with_the_whole_way(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        after(second, first)
        after(third, second)
        (said,) = refused(first, after=[third.pk])["after"]
        assert f"#{third.pk} after #{second.pk} after #{first.pk}" in said
        assert first.after == []

    def test_a_refused_order_saves_no_other_field_either(self) -> None:
        (task,) = tasks_of_one_workspace(1)
        refused(task, after=[task.pk], title="Other")
        task.refresh_from_db()
        assert task.title != "Other"

    def test_at_most_fifty(self) -> None:
        tasks = tasks_of_one_workspace(52)
        assert "at most 50" in refused(tasks[0], after=[task.pk for task in tasks[1:]])["after"][0]

    def test_a_deleted_predecessor_is_kept_by_its_number_and_title(self) -> None:
        first, second = tasks_of_one_workspace(2)
        after(second, first)
        number = first.pk
        editing.update_task(first, title="Renamed before")
        services.delete_task(first)
        row = second.dependencies.get()
        assert (row.number, row.title, row.predecessor) == (number, "Renamed before", None)
        editing.update_task(second, after=[number])
        assert second.after == [number]
        editing.update_task(second, after=[])
        assert second.after == []

    def test_who_read_an_older_order_is_refused(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        after(third, first)
        with pytest.raises(Refused, match="same moment"):
            order.set_after(third, [second.pk], seen=[])


@pytest.mark.django_db
class TestStacked:
    def test_one_predecessor_only(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        assert "after_until" in refused(third, after=[first.pk, second.pk], after_until="finished")
        editing.update_task(third, after=[first.pk, second.pk])
        assert "after_until" in refused(third, after_until="finished")
        third.refresh_from_db()
        assert third.after_until == "merged"

    def test_a_second_predecessor_does_not_slip_in(self) -> None:
        first, second, third = tasks_of_one_workspace(3)
        editing.update_task(third, after=[first.pk], after_until="finished")
        assert "after_until" in refused(third, after=[first.pk, second.pk])
        assert third.after == [first.pk]

    def test_it_has_no_other_start(self) -> None:
        first, second = tasks_of_one_workspace(2)
        fields = {"after": [first.pk], "after_until": "finished", "base_branch": "release"}
        assert "base_branch" in refused(second, **fields)

    @pytest.mark.parametrize("name", ["-x", "two words", "a\nb", "x" * 201])
    def test_a_branch_is_one_word(self, name: str) -> None:
        assert "base_branch" in refused(make_task(), base_branch=name)


edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=25)


@given(edges)
@settings(max_examples=300, deadline=None)
def test_a_way_is_found_exactly_when_there_is_one(pairs: list[tuple[int, int]]) -> None:
    graph: dict[int, list[int]] = defaultdict(list)
    for left, right in pairs:
        graph[left].append(right)
    reached = {0}
    while more := {node for each in reached for node in graph.get(each, ())} - reached:
        reached |= more
    for goal in range(8):
        way = order.way_between(graph, 0, goal)
        assert bool(way) == (goal in reached)
        if way:
            assert (way[0], way[-1]) == (0, goal)
            assert all(right in graph[left] for left, right in pairwise(way))


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    def test_two_who_together_make_a_circle_do_not_both_succeed(self) -> None:
        first, second = tasks_of_one_workspace(2)
        barrier, outcomes = threading.Barrier(2), []

        def change(task: int, predecessor: int) -> None:
            try:
                barrier.wait(10)
                outcomes.append(outcome_of(task, predecessor))
            finally:
                close_old_connections()
                connection.close()

        def outcome_of(task: int, predecessor: int) -> str:
            while True:
                try:
                    editing.update_task(Task.objects.get(pk=task), after=[predecessor])
                    return "saved"
                except ValidationError:
                    return "circle"
                except OperationalError:  # SQLite in memory, unlike a file, does not wait for its lock
                    time.sleep(0.01)

        for _ in range(5):
            Dependency.objects.all().delete()
            outcomes.clear()
            pairs = ((first.pk, second.pk), (second.pk, first.pk))
            threads = [threading.Thread(target=change, args=pair) for pair in pairs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert sorted(outcomes) == ["circle", "saved"]
            assert Dependency.objects.count() == 1


@pytest.mark.django_db
def test_several_tasks_of_one_text_come_after_the_same_ones() -> None:
    (first,) = tasks_of_one_workspace(1)
    made = services.create_tasks_from_text(
        workspace=first.workspace, user=make_user(), text="a\n---\nb", after=[first.pk]
    )
    assert [task.after for task in made] == [[first.pk], [first.pk]]
