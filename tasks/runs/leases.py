"""Who works on a run just now. A lease that is not renewed ends by itself, or at once with its process.

A lease without an owner says that a nudge is under way: any worker may take it, and only when it has ended
without one is it nudged again.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from aitask.lib.queue import enqueue
from tasks.models import Run

LEASE = timedelta(seconds=60)
NUDGE = timedelta(seconds=10)
"How long a nudge may take before it counts as lost."


def me() -> str:
    """This process, as it stands in `lease_owner`."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def take(run_id: int, states: tuple[str, ...]) -> bool:
    """Take the run for this process; False when another has it or its state is none of `states`."""
    until = timezone.now() + LEASE
    runs = Run.objects.filter(unheld() | Q(lease_owner=""), pk=run_id, state__in=states)
    return bool(runs.update(lease_until=until, lease_owner=me()))


def unheld() -> Q:
    """Runs that no worker holds and no nudge is under way for."""
    return Q(lease_until=None) | Q(lease_until__lt=timezone.now())


def nudge(run_id: int, job: str, *, at_once: bool = False) -> bool:
    """Send for a worker unless one is there or sent for; after NUDGE it may be sent for again.

    With `at_once` it is sent for even when another nudge is under way.
    """
    free = unheld() | Q(lease_owner="") if at_once else unheld()
    until = timezone.now() + NUDGE
    sent = Run.objects.filter(free, pk=run_id).update(lease_until=until, lease_owner="")
    if sent:
        enqueue(job, run_id)
    return bool(sent)


def expect(run_id: int, patience: timedelta) -> None:
    """Nothing is to be done for `patience`, unless something is heard before."""
    Run.objects.filter(unheld(), pk=run_id).update(lease_until=timezone.now() + patience, lease_owner="")


def is_held(run: Run) -> bool:
    """Whether a worker is busy with it."""
    return bool(run.lease_owner) and run.lease_until is not None and run.lease_until > timezone.now()


def renew(run_id: int) -> bool:
    """Ask for a whole LEASE again before a long step; False when the lease has gone to another."""
    return bool(
        Run.objects.filter(pk=run_id, lease_owner=me(), lease_until__gt=timezone.now()).update(
            lease_until=timezone.now() + LEASE
        )
    )


def release(run_id: int) -> None:
    """Give the run back."""
    Run.objects.filter(pk=run_id, lease_owner=me()).update(lease_until=None, lease_owner="")


@contextlib.contextmanager
def held(run_id: int, states: tuple[str, ...]) -> Iterator[bool]:
    """`take` now, `release` at the end; gives whether it was taken."""
    taken = take(run_id, states)
    try:
        yield taken
    finally:
        if taken:
            release(run_id)


def void_of_dead_processes() -> int:
    """End the leases of processes of this machine that are no more; returns how many."""
    ended = 0
    for run in Run.objects.filter(lease_until__gt=timezone.now()).exclude(lease_owner=""):
        if is_dead(run.lease_owner):
            held = Run.objects.filter(pk=run.pk, lease_owner=run.lease_owner)
            ended += held.update(lease_until=None, lease_owner="")
    return ended


def is_dead(owner: str) -> bool:
    """Whether `owner` was a process of this machine that is no more; False for other machines' processes."""
    name, _, pid = owner.rpartition(":")
    return name == me().rpartition(":")[0] and pid.isdigit() and not _alive(int(pid))


def _alive(pid: int) -> bool:
    """Whether a process of this machine runs; on Windows always True, there the lease's time decides."""
    if os.name == "nt":  # there os.kill(pid, 0) would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
