"""The job of merge trains. It takes an id, reads the row, and returns if there is nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from tasks.models import MergeStep, MergeTrain
from tasks.repository import Site, site_of
from tasks.spotlight.jobs import enqueue_look
from tasks.trains import overlap, undo
from tasks.trains.push import push
from tasks.trains.train_runner import Parked, TrainRunner
from workspaces.git.writing import update_refs
from workspaces.hosts import HostError

log = logging.getLogger(__name__)

PATIENCE = 20.0
"Seconds that a worker waits for a check before it takes other jobs."
CHECK_PAUSE = timedelta(seconds=2)
HOST_PAUSE = timedelta(seconds=15)
TURN_PAUSE = timedelta(seconds=2)
State = MergeTrain.State
ROWS = MergeTrain.objects


def enqueue_train(train_id: int) -> None:
    """Enqueue the train's job, unless a worker runs it or a job is queued."""
    leases.enqueue_once(ROWS.filter(pk=train_id), run_train, train_id)


def run_train(
    train_id: int, *, patience: float = PATIENCE, on_change: Callable[[], None] | None = None
) -> None:
    """Work on a train until it ends, a check takes long, or its host can't be reached.

    `on_change` is called after each change of a step.
    """
    pause: timedelta | None = None
    with leases.held(ROWS.filter(pk=train_id)) as taken:
        if not taken:
            return
        train = ROWS.select_related("workspace", "created_by").get(pk=train_id)
        try:
            pause = _work(train, patience, on_change)
        except leases.LeaseLost:
            return
    if pause is not None:
        leases.pause(ROWS.filter(pk=train_id), pause)
    doorbell.ring(f"train:{train_id}", f"workspace:{train.workspace_id}", "board")
    if pause is None:
        start_next(train.repo_key)
        overlap.enqueue_check(train.workspace_id)
        enqueue_look(train.workspace_id)


def _work(train: MergeTrain, patience: float, on_change: Callable[[], None] | None) -> timedelta | None:
    """Return the pause before the next job; None if the train has ended."""
    if not train.is_live or (train.state == State.QUEUED and not _take_turn(train)):
        return TURN_PAUSE if train.is_live else None
    try:
        site = site_of(train.workspace, train)
        if train.state == State.UNDOING:
            undo.work(train, site, patience)
            return None
        _prepare(train, site)
        TrainRunner(train, site, patience=patience, on_change=on_change).run()
        _finish(train, site)
    except Parked:
        return CHECK_PAUSE
    except HostError as error:
        if error.retryable:
            train.change(MergeTrain.IN_PROGRESS, reason=str(error))
            return HOST_PAUSE
        _stop(train, str(error))
    except Refused as error:
        _stop(train, str(error))
    except leases.LeaseLost:
        raise
    except Exception as error:
        log.exception("%s failed", train)
        _stop(train, f"Internal error: {error!r}. The log has the details.")
    return None


def _take_turn(train: MergeTrain) -> bool:
    """Start the train, unless another one of this repository is running or queued before it."""
    earlier = ROWS.filter(repo_key=train.repo_key, state=State.QUEUED, pk__lt=train.pk).exists()
    busy = ROWS.filter(repo_key=train.repo_key, state__in=MergeTrain.IN_PROGRESS).exists()
    if earlier or busy:
        return False
    try:
        with transaction.atomic():
            started = train.started_at or timezone.now()
            return train.change((State.QUEUED,), state=State.RUNNING, started_at=started)
    except IntegrityError:
        train.refresh_from_db()
        return False


def _prepare(train: MergeTrain, site: Site) -> None:
    """Save the base branch's tip, and rescue refs of the base branch and all branches, once."""
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
        raise leases.LeaseLost


def _finish(train: MergeTrain, site: Site) -> None:
    """End the train: all steps have ended, or a user has stopped it."""
    left = train.steps.filter(state__in=MergeStep.OPEN).exists()
    if not left and train.push in (MergeTrain.Push.ASKED, MergeTrain.Push.FAILED):
        push(train, site)
    state = State.CANCELLED if left else State.FINISHED
    reason = "Stopped by a user." if left else ""
    if not train.change((State.RUNNING,), state=state, reason=reason, finished_at=timezone.now()):
        raise leases.LeaseLost


def _stop(train: MergeTrain, reason: str) -> None:
    train.change(MergeTrain.IN_PROGRESS, state=State.STOPPED, reason=reason, finished_at=timezone.now())


def start_next(repo_key: str) -> None:
    """Enqueue the oldest queued train of a repository that is free now."""
    following = ROWS.filter(repo_key=repo_key, state=State.QUEUED).order_by("pk").first()
    if following:
        ROWS.filter(pk=following.pk, lease_owner="").update(lease_until=None)
        enqueue_train(following.pk)
