"""Who sees which task: everybody who sees its workspace."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from tasks.models import MergeTrain, Outgoing, Run, Task
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import BackendHold


def visible_tasks(user: Visitor) -> QuerySet[Task]:
    """The tasks of all workspaces that the user sees."""
    return Task.objects.filter(workspace__in=visible_workspaces(user)).select_related("workspace")


def task_for(user: Visitor, pk: int) -> Task:
    """The task when the user sees it, else 404."""
    return get_object_or_404(visible_tasks(user), pk=pk)


def run_for(user: Visitor, pk: int) -> Run:
    """The run when the user sees its task, else 404."""
    runs = Run.objects.filter(task__workspace__in=visible_workspaces(user))
    return get_object_or_404(runs.select_related("task__workspace"), pk=pk)


def message_for(user: Visitor, pk: int) -> Outgoing:
    """The message to an agent when the user sees its task, else 404."""
    seen = Outgoing.objects.filter(run__task__workspace__in=visible_workspaces(user))
    return get_object_or_404(seen.select_related("run__task__workspace"), pk=pk)


def hold_for(user: Visitor, pk: int) -> BackendHold:
    """The hold of a CLI when one of the user's workspaces is on that host, else 404."""
    keys = {workspace.address.key for workspace in visible_workspaces(user)}
    return get_object_or_404(BackendHold, pk=pk, host__key__in=keys)


def train_for(user: Visitor, pk: int) -> MergeTrain:
    """The merge train when the user sees its workspace, else 404."""
    seen = MergeTrain.objects.filter(workspace__in=visible_workspaces(user))
    return get_object_or_404(seen.select_related("workspace", "created_by"), pk=pk)
