"""Find what a lost job or a dead worker left undone, and enqueue it again."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from aitask.lib import leases
from aitask.lib.queue import enqueue
from tasks.models import MergeTrain, Resolution
from tasks.trains import after_run, jobs, overlap

SETTLE_AFTER = timedelta(seconds=30)
"Time after the end of a run when its job counts as lost."


def repair() -> None:
    """Called in each round of the follower. Cheap if there is nothing to do."""
    live = MergeTrain.objects.filter(state__in=MergeTrain.LIVE)
    leases.end_leases_of_dead_processes(live)
    for pk in live.filter(leases.unleased()).values_list("pk", flat=True):
        jobs.enqueue_train(pk)
    overlap.repair()
    _repair_resolutions()


def _repair_resolutions() -> None:
    overdue = timezone.now() - SETTLE_AFTER
    waiting = Resolution.objects.filter(state=Resolution.State.ASKED, asked_at__lt=overdue)
    for task_id in waiting.filter(run__finished_at__lt=overdue).values_list("task", flat=True):
        Resolution.objects.filter(task=task_id).update(asked_at=timezone.now())
        enqueue(after_run.inspect_branch, task_id)
