"""What is known about a task's runs."""

from __future__ import annotations

from tasks.models import Run, Task


def live_run(task: Task | int) -> Run | None:
    """The task's run that is queued or at work; there is at most one."""
    return Run.objects.filter(task=task, state__in=Run.LIVE).first()
