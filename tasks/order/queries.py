"""The order of tasks, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.models import Dependency, Task
from tasks.order.predecessors import Predecessor, predecessors, predecessors_of, standing_on
from workspaces.models import Workspace

MOST_OFFERED = 200
"Open tasks that a form offers as predecessors, newest first."
MOST_SUCCESSORS = 50


def order_context(task: Task) -> dict[str, Any]:
    """Return what a task's page shows about its order."""
    before = predecessors_of(task)
    following = Dependency.objects.filter(predecessor=task).order_by("pk").select_related("task")
    shown = following.only("task", "task__title", "task__status")[: MOST_SUCCESSORS + 1]
    successors = [each.task for each in shown]
    return {
        "before": before,
        "stands_on": standing_on(before),
        "successors": successors[:MOST_SUCCESSORS],
        "more_successors": len(successors) > MOST_SUCCESSORS,
    }


def offered(workspace: Workspace) -> list[tuple[int, str]]:
    """Return number and title of the tasks that another one may come after, newest first."""
    open_tasks = Task.objects.filter(workspace=workspace).exclude(status=Task.Status.DONE)
    return list(open_tasks.order_by("-pk").values_list("pk", "title")[:MOST_OFFERED])


@dataclass(frozen=True)
class OpenTasks:
    """The open tasks of a workspace and their predecessors that are not merged."""

    tasks: dict[int, Task]
    before: dict[int, list[Predecessor]]


def open_tasks(workspace: Workspace) -> OpenTasks:
    """Return the tasks that are not done, by number, with three queries."""
    rows = Task.objects.filter(workspace=workspace).exclude(status=Task.Status.DONE).order_by("pk")
    tasks = {task.pk: task for task in rows.only("pk", "title", "status", "workspace", "reasoning_effort")}
    found = predecessors(Dependency.objects.filter(task__workspace=workspace, task__in=list(tasks)))
    before = {pk: [each for each in every if not each.is_merged] for pk, every in found.items()}
    return OpenTasks(tasks, {pk: every for pk, every in before.items() if every})
