"""What is known about a task's runs."""

from __future__ import annotations

from aitask.lib.errors import Refused
from tasks.models import Run, Task


def live_run(task: Task | int) -> Run | None:
    """The task's run that is queued or at work; there is at most one."""
    return Run.objects.filter(task=task, state__in=Run.LIVE).first()


def refuse_live(task: Task) -> None:
    """Raise Refused while a run of the task is queued or at work."""
    run = live_run(task)
    if run is None:
        return
    if run.state == Run.State.QUEUED:
        raise Refused("A run of this task is queued.", "Wait until it has ended, or unqueue it.")
    raise Refused("A run of this task is in progress.", "Wait until it has ended, or cancel it.")
