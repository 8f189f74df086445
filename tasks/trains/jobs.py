"""What workers do for reviews. A job takes an id, re-reads the row, leaves when there is nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from tasks.models import MergeStep, MergeTrain, Resolution, Run, Task, Verdict
from tasks.repository import MergeSite, site_of
from tasks.trains import conflicts, overlap, services, turns, undo
from tasks.trains.push import push
from tasks.trains.train_runner import Conductor, Parked
from workspaces.git.writing import update_refs
from workspaces.hosts import HostError

log = logging.getLogger(__name__)

PATIENCE = 20.0
"Seconds that a worker waits for one check before it turns to other things."
LOOK_AGAIN = timedelta(seconds=2)
HOST_PAUSE = timedelta(seconds=15)
TURN_PAUSE = timedelta(seconds=2)
SETTLE_AFTER = timedelta(seconds=30)
"After the end of a run: when its nudge counts as lost."
State = MergeTrain.State
ROWS = MergeTrain.objects


def run_train(train_id: int, *, patience: float = PATIENCE, told: Callable[[], None] | None = None) -> None:
    """Work on a train until it ends, a check takes long, or its host can't be reached.

    `told` is called after each change of a step.
    """
    pause: timedelta | None = None
    with turns.held(ROWS.all(), train_id) as taken:
        if not taken:
            return
        train = ROWS.select_related("workspace", "created_by").get(pk=train_id)
        try:
            pause = _work(train, patience, told)
        except turns.TurnLost:
            return
    if pause is not None:
        turns.rest(ROWS.all(), train_id, pause)
    doorbell.ring(f"train:{train_id}", f"workspace:{train.workspace_id}", "board")
    if pause is None:
        start_next(train.repo_key)
        overlap.soon(train.workspace_id)


def _work(train: MergeTrain, patience: float, told: Callable[[], None] | None) -> timedelta | None:
    """When to look again; None when the train needs no more work."""
    if not train.is_live or (train.state == State.QUEUED and not _take_turn(train)):
        return TURN_PAUSE if train.is_live else None
    try:
        site = site_of(train.workspace, train)
        if train.state == State.UNDOING:
            undo.work(train, site, patience)
            return None
        _set_out(train, site)
        Conductor(train, site, patience=patience, told=told).run()
        _arrive(train, site)
    except Parked:
        return LOOK_AGAIN
    except HostError as error:
        if error.retryable:
            train.change(MergeTrain.AT_WORK, reason=str(error))
            return HOST_PAUSE
        _stop(train, str(error))
    except Refused as error:
        _stop(train, str(error))
    except turns.TurnLost:
        raise
    except Exception as error:
        log.exception("%s broke", train)
        _stop(train, f"The app failed: {error!r}. The log has the details.")
    return None


def _take_turn(train: MergeTrain) -> bool:
    """Begin, unless an earlier train of this repository waits or another is under way."""
    earlier = ROWS.filter(repo_key=train.repo_key, state=State.QUEUED, pk__lt=train.pk).exists()
    busy = ROWS.filter(repo_key=train.repo_key, state__in=MergeTrain.AT_WORK).exists()
    if earlier or busy:
        return False
    try:
        with transaction.atomic():
            started = train.started_at or timezone.now()
            return train.change((State.QUEUED,), state=State.RUNNING, started_at=started)
    except IntegrityError:
        train.refresh_from_db()
        return False


def _set_out(train: MergeTrain, site: MergeSite) -> None:
    """Once: note where main was, and make the rescue refs of main and of all branches."""
    if train.old_tip:
        if train.reason:
            train.change((State.RUNNING,), reason="")
        return
    site.mainline.check_ready()
    tip = site.mainline.tip()
    keep = {f"{site.refs}/main": (tip, None)}
    for step in train.steps.exclude(commit=""):
        keep[f"{site.refs}/{step.position}"] = (step.commit, None)
    if not train.dry_run:
        update_refs(site.write, site.place.path, keep)
    if not train.change((State.RUNNING,), old_tip=tip, tip=tip, reason=""):
        raise turns.TurnLost


def _arrive(train: MergeTrain, site: MergeSite) -> None:
    """All steps have ended, or a person stopped the train."""
    left = train.steps.filter(state__in=MergeStep.OPEN).exists()
    if not left and train.push in (MergeTrain.Push.ASKED, MergeTrain.Push.FAILED):
        push(train, site)
    state = State.CANCELLED if left else State.FINISHED
    reason = "Stopped by hand." if left else ""
    if not train.change((State.RUNNING,), state=state, reason=reason, finished_at=timezone.now()):
        raise turns.TurnLost


def _stop(train: MergeTrain, reason: str) -> None:
    train.change(MergeTrain.AT_WORK, state=State.STOPPED, reason=reason, finished_at=timezone.now())


def start_next(repo_key: str) -> None:
    """The repository is free: the train that has waited longest may go."""
    following = ROWS.filter(repo_key=repo_key, state=State.QUEUED).order_by("pk").first()
    if following:
        ROWS.filter(pk=following.pk, lease_owner="").update(lease_until=None)
        services.send_for_worker(following)


def repair() -> None:
    """Find what a lost nudge or a dead worker left undone; cheap when there is nothing to do."""
    live = ROWS.filter(state__in=MergeTrain.LIVE)
    turns.void_of_dead(live.filter(lease_until__gt=timezone.now()))
    for train in live.filter(turns.free()):
        services.send_for_worker(train)
    overlap.repair()
    overdue = timezone.now() - SETTLE_AFTER
    waiting = Resolution.objects.filter(state=Resolution.State.ASKED, asked_at__lt=overdue)
    asked = waiting.filter(run__finished_at__lt=overdue)
    for task_id in asked.values_list("task", flat=True):
        Resolution.objects.filter(task=task_id).update(asked_at=timezone.now())
        enqueue("tasks.trains.jobs.run_ended", task_id)


def look_at_branch(run: Run) -> None:
    """Have a worker look at the branch of an ended run; a lost job is found by `repair`."""
    enqueue("tasks.trains.jobs.run_ended", run.task_id)


def run_ended(task_id: int) -> None:
    """A run of the task is over: an accepted branch may have moved, a conflict may be resolved."""
    task = Task.objects.filter(pk=task_id).first()
    if task is None:
        return
    overlap.soon(task.workspace_id)
    _forget_old_verdict(task)
    for resolution in Resolution.objects.filter(task=task, state=Resolution.State.ASKED):
        _settle(resolution)


def _forget_old_verdict(task: Task) -> None:
    """What a run has changed since was not looked at by who judged the branch before, nor is it merged."""
    verdict = Verdict.objects.filter(task=task).first()
    newest = task.runs.exclude(commit="").order_by("-number").first()
    if verdict is None or newest is None or newest.commit == verdict.commit:
        return
    is_later = newest.finished_at is not None and newest.finished_at > verdict.at
    if verdict.kind in Verdict.SETTLED and not is_later:
        return
    verdict.delete()
    doorbell.ring(f"task:{task.pk}", "board")


def _settle(resolution: Resolution) -> None:
    """Only once its run has ended; a host that is away is tried again by `repair`."""
    run = resolution.run
    if run is None or run.is_live:
        return
    if run.state != Run.State.SUCCEEDED:
        reason = f"The agent's run did not end well: {run.reason or run.get_state_display()}"
        Resolution.objects.filter(pk=resolution.pk).update(state=Resolution.State.FAILED, reason=reason)
        return
    mine = Resolution.objects.filter(
        pk=resolution.pk, state=Resolution.State.ASKED, asked_at=resolution.asked_at
    )
    if not mine.update(asked_at=timezone.now()):
        return
    try:
        conflicts.settle(resolution)
    except HostError as error:
        if not error.retryable:
            Resolution.objects.filter(pk=resolution.pk).update(state="failed", reason=str(error))
    except Refused as error:
        Resolution.objects.filter(pk=resolution.pk).update(state="failed", reason=str(error))
    doorbell.ring(f"task:{resolution.task_id}", "board")
