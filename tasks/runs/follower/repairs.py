"""Find what a lost job or a dead worker left undone, and enqueue it again. Every repair may be repeated."""

from __future__ import annotations

from aitask.lib import leases
from tasks.models import Run
from tasks.runs import dispatch, endings, hooks, jobs


def repair() -> None:
    """Repair all live runs. Cheap if there is nothing to do."""
    leases.end_leases_of_dead_processes(Run.objects.all())
    queued = Run.objects.filter(state=Run.State.QUEUED)
    for workspace_id in set(queued.values_list("task__workspace", flat=True)):
        dispatch.start_queued(workspace_id)
    for run in Run.objects.filter(leases.unleased(), state__in=Run.ACTIVE):
        _repair_run(run)
    hooks.repair()


def _repair_run(run: Run) -> None:
    if run.outcome is not None:
        endings.conclude(run.pk)
    elif job := jobs.job_due(run):
        leases.enqueue_once(Run.objects.filter(pk=run.pk), job, run.pk)
