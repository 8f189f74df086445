"""Find what a lost job or a dead worker left undone, and enqueue it again. Every repair may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from aitask.lib import columns, leases
from tasks.models import Run
from tasks.runs import dispatch, endings, hooks, jobs

T = TypeVar("T")
log = logging.getLogger(__name__)


def repair() -> None:
    """Repair all live runs. Cheap if there is nothing to do."""
    leases.end_leases_of_dead_processes(Run.objects.all())
    queued = Run.objects.filter(state=Run.State.QUEUED)
    for workspace_id in set(queued.values_list("task__workspace", flat=True)):
        _isolated(dispatch.start_queued, workspace_id, "workspace")
    for run in Run.objects.filter(leases.unleased(), state__in=Run.ACTIVE):
        _isolated(_repair_run, run, "run")
    hooks.repair()


def _isolated(repair_one: Callable[[T], object], of: T, name: str) -> None:
    """Log what fails, so that the others are repaired nevertheless."""
    try:
        repair_one(of)
    except Exception as error:
        if columns.is_outage(error):
            raise
        log.exception("%s %s could not be repaired", name, of)


def _repair_run(run: Run) -> None:
    if run.outcome is not None:
        endings.conclude(run.pk)
    elif job := jobs.job_due(run):
        leases.enqueue_once(Run.objects.filter(pk=run.pk), job, run.pk)
