"""Find what a lost nudge or a dead worker left undone, and nudge again. Every repair may be repeated."""

from __future__ import annotations

from tasks.models import Run
from tasks.runs import dispatch, endings, hooks, leases


def repair() -> None:
    """One round over all live runs; cheap when there is nothing to do."""
    leases.void_of_dead_processes()
    waiting = Run.objects.filter(state=Run.State.QUEUED)
    for workspace_id in set(waiting.values_list("task__workspace", flat=True)):
        dispatch.start_queued(workspace_id)
    for run in Run.objects.filter(leases.unheld(), state__in=Run.ACTIVE):
        _repair_run(run)
    hooks.repair()


def _repair_run(run: Run) -> None:
    if run.outcome is not None:
        endings.conclude(run.pk)
    elif run.cancel_requested_at:
        leases.nudge(run.pk, "tasks.runs.jobs.cancel_run")
    elif run.state == Run.State.STARTING:
        leases.nudge(run.pk, "tasks.runs.jobs.start_run")
