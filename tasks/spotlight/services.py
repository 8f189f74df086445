"""Show a task's change in the checkout of its workspace, and go back."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import Spotlight, Task
from tasks.spotlight import jobs, queries
from tasks.verbs import TaskVerb, require
from workspaces.access import check_decision
from workspaces.models import Workspace

State = Spotlight.State


def show(task: Task, *, user: User) -> Spotlight:
    """Let a worker show the last commit of the task's branch instead of what is shown now. Raises Refused."""
    check_decision(user, task.workspace, "show a task in the checkout")
    require(task, TaskVerb.SPOTLIGHT)
    spotlight, _ = Spotlight.objects.get_or_create(workspace=task.workspace)
    _begin(spotlight, Spotlight.AT_REST, state=State.SHOWING, wanted=task, by=user)
    return spotlight


def show_next(spotlight: Spotlight, *, user: User) -> Spotlight:
    """Show the next task in Review. Raises Refused."""
    task = queries.next_task(spotlight)
    if task is None:
        raise Refused("No other task in Review has a branch.", "Go back when you have seen enough.")
    return show(task, user=user)


def refresh(spotlight: Spotlight, *, user: User) -> Spotlight:
    """Show the newest commit of the task that is shown. Raises Refused."""
    if spotlight.task is None:
        raise Refused("The task that is shown was deleted.", "Go back, or show another task.")
    return show(spotlight.task, user=user)


def go_back(spotlight: Spotlight, *, user: User) -> Spotlight:
    """Let a worker put the checkout back to how it was. Where nothing is shown, forget what was told."""
    check_decision(user, spotlight.workspace, "put its checkout back")
    if spotlight.pk is None:
        return spotlight
    if spotlight.change((State.OFF,), reason="", hint="", told="", changed_at=timezone.now()):
        doorbell.ring("board")
    else:
        _begin(spotlight, (State.SHOWN,), state=State.RETURNING, wanted=None)
    return spotlight


def spotlight_of(workspace: Workspace) -> Spotlight:
    """Return the workspace's row, which need not be saved."""
    found = Spotlight.objects.filter(workspace=workspace).select_related("workspace", "task", "by").first()
    return found or Spotlight(workspace=workspace)


def _begin(spotlight: Spotlight, expected: tuple[str, ...], **values: object) -> None:
    cleared = {"reason": "", "hint": "", "told": "", "changed_at": timezone.now()}
    with transaction.atomic():
        if not spotlight.change(expected, **values, **cleared):
            raise Refused("Spotlight is at work in this workspace.", "Try again in a moment.")
        jobs.enqueue_work(spotlight.pk)
    doorbell.ring(f"workspace:{spotlight.workspace_id}", "board")
