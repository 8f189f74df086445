"""Queries about runs."""

from __future__ import annotations

from tasks.models import Run, Task


def live_run(task: Task | int) -> Run | None:
    """Return the task's live run, of which there is at most one; None if there is none."""
    return Run.objects.filter(task=task, state__in=Run.LIVE).first()
