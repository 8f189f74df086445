"""The order of a merge train: no task is merged before its predecessors."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.models import MergeStep, Task, Verdict
from tasks.order.predecessors import STUCK, TO_RUN_AGAIN, Predecessor, predecessors_by_task, predecessors_of


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with each one after its predecessors; else in the given order."""
    return _ordered(list(tasks), _open_predecessors(tasks))


def with_accepted_predecessors(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks in order, and before them the predecessors that are accepted and not merged."""
    found = list(tasks)
    before = _open_predecessors(found)
    asked = found
    while True:
        known = {task.pk for task in found}
        wanted = {number for task in asked for number in before.get(task.pk, ())} - known
        if not wanted:
            return _ordered(found, before)
        accepted = Task.objects.filter(
            pk__in=wanted, status=Task.Status.REVIEW, verdict__kind=Verdict.Kind.ACCEPTED
        )
        asked = list(accepted.select_related("workspace").order_by("rank", "pk"))
        if not asked:
            return _ordered(found, before)
        before |= _open_predecessors(asked)
        found += asked


def _open_predecessors(tasks: Sequence[Task]) -> dict[int, list[int]]:
    """Return task → numbers of its predecessors that are not merged."""
    found = predecessors_by_task(tasks)
    return {pk: [each.number for each in before if not each.is_merged] for pk, before in found.items()}


def _ordered(tasks: list[Task], before: dict[int, list[int]]) -> list[Task]:
    """Move predecessors in front of the first task that comes after them."""
    known = {task.pk: task for task in tasks}
    ordered: dict[int, Task] = {}
    for task in tasks:
        waiting = [task.pk]
        while waiting:
            pk = waiting[-1]
            open_ones = [each for each in before.get(pk, ()) if each in known and each not in ordered]
            open_ones = [each for each in open_ones if each not in waiting]
            if open_ones:
                waiting.append(open_ones[0])
            else:
                ordered.setdefault(waiting.pop(), known[pk])
    return list(ordered.values())


def reason_to_leave_out(step: MergeStep) -> str:
    """Return why the step's task can't be merged before others; empty if it can be merged now."""
    if step.task is None:
        return ""
    before = [each for each in predecessors_of(step.task) if not each.is_merged]
    if not before:
        return ""
    steps = {other.task_id: other for other in step.train.steps.exclude(pk=step.pk)}
    reasons = (_reason(each, steps.get(each.number)) for each in before)
    return next(filter(None, reasons), "")


def _reason(before: Predecessor, step: MergeStep | None) -> str:
    if step is not None:
        is_merged = step.state in MergeStep.GOOD
        return "" if is_merged else f"It comes after {before.name}, which this train has not merged."
    if before.is_stuck and before.progress not in TO_RUN_AGAIN:
        ended = STUCK[before.progress]
        return f"It comes after {before.name}, which {ended}. Remove it from “After” to merge this task."
    return f"It comes after {before.name}, which is not merged. Accept that task to merge both."


def blocked_tasks(tasks: Sequence[Task]) -> dict[int, list[Predecessor]]:
    """Return task → its predecessors that are not merged, of those that have any."""
    found = predecessors_by_task(tasks)
    before = {pk: [each for each in every if not each.is_merged] for pk, every in found.items()}
    return {pk: every for pk, every in before.items() if every}
