"""Jobs after the end of a run: void an outdated verdict, check overlaps, settle a conflict."""

from __future__ import annotations

from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from tasks.models import Resolution, Run, Task, Verdict
from tasks.trains import conflicts, overlap
from workspaces.hosts import HostError


def enqueue_inspection(run: Run) -> None:
    """Enqueue the inspection of an ended run's branch. `repairs` enqueues a lost job again."""
    enqueue(inspect_branch, run.task_id)


def inspect_branch(task_id: int) -> None:
    """Inspect a branch after a run: an accepted branch may have moved, a conflict may be resolved."""
    task = Task.objects.filter(pk=task_id).first()
    if task is None:
        return
    overlap.enqueue_check(task.workspace_id)
    _void_outdated_verdict(task)
    for resolution in Resolution.objects.filter(task=task, state=Resolution.State.ASKED):
        _settle(resolution)


def _void_outdated_verdict(task: Task) -> None:
    """Delete a verdict that does not cover the commits of the newest run."""
    verdict = Verdict.objects.filter(task=task).first()
    newest = task.runs.exclude(commit="").order_by("-number").first()
    if verdict is None or newest is None or newest.commit == verdict.commit:
        return
    is_later = newest.finished_at is not None and newest.finished_at > verdict.at
    if verdict.kind in Verdict.SETTLED and not is_later:
        return
    verdict.delete()
    doorbell.ring(f"task:{task.pk}")


def _settle(resolution: Resolution) -> None:
    """Settle a resolution whose run has ended. `repair` retries if the host can't be reached."""
    run = resolution.run
    if run is None or run.is_live:
        return
    if run.state != Run.State.SUCCEEDED:
        reason = f"The run did not succeed: {run.reason or run.get_state_display()}"
        Resolution.objects.filter(pk=resolution.pk).update(state=Resolution.State.FAILED, reason=reason)
        return
    claimed = Resolution.objects.filter(
        pk=resolution.pk, state=Resolution.State.ASKED, asked_at=resolution.asked_at
    )
    if not claimed.update(asked_at=timezone.now()):
        return
    try:
        conflicts.settle(resolution)
    except HostError as error:
        if not error.retryable:
            Resolution.objects.filter(pk=resolution.pk).update(
                state=Resolution.State.FAILED, reason=str(error)
            )
    except Refused as error:
        Resolution.objects.filter(pk=resolution.pk).update(state=Resolution.State.FAILED, reason=str(error))
    doorbell.ring(f"task:{resolution.task_id}")
