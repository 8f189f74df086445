"""Access to tasks: a user sees the tasks of the workspaces that the user sees."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from tasks.models import MergeTrain, Outgoing, OutsideChange, Run, Task
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import BackendHold


def visible_tasks(user: Visitor) -> QuerySet[Task]:
    """Return the tasks of all workspaces that the user may see."""
    return Task.objects.filter(workspace__in=visible_workspaces(user)).select_related("workspace")


def task_for(user: Visitor, pk: int) -> Task:
    """Return the task; raise Http404 unless the user may see it."""
    return get_object_or_404(visible_tasks(user), pk=pk)


def run_for(user: Visitor, pk: int) -> Run:
    """Return the run; raise Http404 unless the user may see its task."""
    runs = Run.objects.filter(task__workspace__in=visible_workspaces(user))
    return get_object_or_404(runs.select_related("task__workspace"), pk=pk)


def message_for(user: Visitor, pk: int) -> Outgoing:
    """Return the message to an agent; raise Http404 unless the user may see its task."""
    visible = Outgoing.objects.filter(run__task__workspace__in=visible_workspaces(user))
    return get_object_or_404(visible.select_related("run__task__workspace"), pk=pk)


def outside_change_for(user: Visitor, pk: int) -> OutsideChange:
    """Return the change outside a run; raise Http404 unless the user may see the run's task."""
    visible = OutsideChange.objects.filter(run__task__workspace__in=visible_workspaces(user))
    return get_object_or_404(visible.select_related("run__task__workspace"), pk=pk)


def hold_for(user: Visitor, pk: int) -> BackendHold:
    """Return the hold of a CLI; raise Http404 unless a workspace of the user is on its host."""
    keys = {workspace.address.key for workspace in visible_workspaces(user)}
    return get_object_or_404(BackendHold, pk=pk, host__key__in=keys)


def train_for(user: Visitor, pk: int) -> MergeTrain:
    """Return the merge train; raise Http404 unless the user may see its workspace."""
    visible = MergeTrain.objects.filter(workspace__in=visible_workspaces(user))
    return get_object_or_404(visible.select_related("workspace", "created_by"), pk=pk)
