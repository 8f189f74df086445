"""Changing the order of tasks. A circle of tasks that wait for each other can't be made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.hooks import Hook
from tasks.models import Dependency, Task
from workspaces.models import Workspace

FIELDS = frozenset({"after", "after_until", "base_branch"})
"The fields of a task that are about its order."
MOST = 50
"Maximum number of predecessors of a task."

order_changed: Hook[[Task]] = Hook()
"""The order of a task was changed, within the transaction that saves it."""


def lock(workspace_id: int) -> None:
    """Let nobody else change the order of a workspace's tasks until the end of this transaction.

    On SQLite, each transaction has the lock of the whole database from its start.
    """
    Workspace.objects.select_for_update().only("pk").get(pk=workspace_id)


def set_after(task: Task, numbers: Iterable[int], *, seen: Iterable[int] | None = None) -> None:
    """Let the task come after these tasks only. The order must be locked: see `lock`.

    Raises ValidationError for other workspaces' tasks, circles and too many; Refused if its predecessors are
    not those in `seen`.
    """
    wanted, current = set(numbers), set(task.after)
    if seen is not None and current != set(seen):
        raise Refused("The order of this task was changed at the same moment.", "Try again.")
    if len(wanted) > MOST:
        raise ValidationError({"after": f"A task comes after at most {MOST} others."})
    found = _new_predecessors(task, wanted - current)
    if found:
        _refuse_circle(task, found)
    task.dependencies.filter(number__in=current - wanted).delete()
    Dependency.objects.bulk_create(
        Dependency(task=task, predecessor=each, number=each.pk, title=each.title) for each in found
    )


def _new_predecessors(task: Task, numbers: set[int]) -> list[Task]:
    if task.pk in numbers:
        raise ValidationError({"after": "A task can't come after itself."})
    valid = [number for number in numbers if 0 < number < 2**63]
    found = list(Task.objects.filter(workspace=task.workspace_id, pk__in=valid).order_by("pk"))
    if missing := sorted(numbers - {each.pk for each in found}):
        names = ", ".join(f"#{number}" for number in missing[:3])
        raise ValidationError({"after": f"This workspace has no task {names}."})
    return found


def _refuse_circle(task: Task, added: Iterable[Task]) -> None:
    rows = Dependency.objects.filter(task__workspace=task.workspace_id).exclude(predecessor=None)
    edges: dict[int, list[int]] = defaultdict(list)
    for successor, predecessor in rows.order_by("number").values_list("task", "predecessor"):
        edges[successor].append(predecessor)
    for each in added:
        if way := way_between(edges, each.pk, task.pk):
            names = " after ".join(f"#{number}" for number in way)
            text = f"#{task.pk} can't come after #{each.pk}, which comes after it: {names}."
            raise ValidationError({"after": text})


def way_between(edges: dict[int, list[int]], start: int, goal: int) -> list[int]:
    """Return the nodes of a way along the edges; empty if there is none."""
    came_from = {start: 0}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node == goal:
            way = [node]
            while way[-1] != start:
                way.append(came_from[way[-1]])
            return way[::-1]
        for following in edges.get(node, ()):
            if following not in came_from:
                came_from[following] = node
                waiting.append(following)
    return []


def check_order(task: Task) -> None:
    """Raise ValidationError unless the task's fields about its order fit together, as they are saved."""
    if task.after_until != Task.Until.FINISHED:
        return
    count = task.dependencies.count()
    if count > 1:
        text = (
            "A task starts from the branch of one predecessor only. Wait until they are merged, or keep one."
        )
        raise ValidationError({"after_until": text})
    if count and task.base_branch:
        text = "It starts from the branch of its predecessor. Leave this empty, or wait until that is merged."
        raise ValidationError({"base_branch": text})


def announce(task: Task) -> None:
    """Tell others about a changed order: queued runs may start, and other cards show other words."""
    order_changed(task)
    doorbell.ring(f"task:{task.pk}", "queue")


def announce_to_successors(task_ids: Iterable[int]) -> None:
    """Let the cards of the tasks after these ones be looked at, and their queued runs start."""
    after = Dependency.objects.filter(predecessor__in=list(task_ids)).values_list("task", flat=True)
    topics = [f"task:{pk}" for pk in after]
    if topics:
        doorbell.ring("queue", *topics)
