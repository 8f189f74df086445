"""Leases on rows: the right of one thread to work on a row for a limited time.

A lease ends when its time is over, or at once if its process has died. A lease without an owner means that a
job is queued: any worker may take the row, and no second job is queued until that lease has ended and the
queue no longer has the first one.
All functions take a queryset of rows, usually filtered by one primary key.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from aitask.lib import columns, winapi
from aitask.lib.queue import enqueue, is_waiting

LEASE = timedelta(seconds=60)
RENEW_EVERY = 15.0
"Seconds."
QUEUED_FOR = timedelta(seconds=10)
"A queued job that has not started after this time counts as lost, unless it still waits in the queue."

Rows = models.QuerySet[Any]

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another process has taken the lease; this one must stop working on the row."""


class Leased(models.Model):
    """A row that only one process at a time works on."""

    lease_owner = models.CharField(
        max_length=64, blank=True, help_text="The process that works on it; empty while a job is queued"
    )
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_leased(self) -> bool:
        """Whether a process is working on it."""
        return bool(self.lease_owner) and self.lease_until is not None and self.lease_until > timezone.now()


def me() -> str:
    """Return this thread of this process as a `lease_owner`: a worker may run several jobs in threads."""
    return f"{_machine()}:{os.getpid()}.{threading.get_native_id()}"


def _machine() -> str:
    return socket.gethostname()[:40]


def unleased() -> Q:
    """Match rows that no process works on and no job is queued for."""
    return Q(lease_until=None) | Q(lease_until__lt=timezone.now())


def untaken() -> Q:
    """Match rows that no process works on, whether or not a job is queued for them."""
    return unleased() | Q(lease_owner="")


def take(rows: Rows, *, duration: timedelta = LEASE) -> bool:
    """Take the lease for this thread; return False if another one has it or no row matches."""
    return bool(rows.filter(untaken()).update(lease_until=timezone.now() + duration, lease_owner=me()))


def renew(rows: Rows, *, duration: timedelta = LEASE) -> bool:
    """Extend this thread's lease; return False if it has ended or another one has it."""
    own = rows.filter(lease_owner=me(), lease_until__gt=timezone.now())
    return bool(own.update(lease_until=timezone.now() + duration))


def release(rows: Rows) -> None:
    """End this thread's lease."""
    rows.filter(lease_owner=me()).update(lease_until=None, lease_owner="")


def pause(rows: Rows, duration: timedelta) -> None:
    """Let `enqueue_once` queue no job for the rows during `duration`, unless it has `even_if_queued`."""
    rows.filter(unleased()).update(lease_until=timezone.now() + duration, lease_owner="")


@contextlib.contextmanager
def held(rows: Rows) -> Iterator[bool]:
    """Take the lease, renew it meanwhile and release it at the end. Yields whether it was taken."""
    # By primary key from here on: the holder may change what the queryset filters by, such as the state.
    keys = list(rows.values_list("pk", flat=True))
    found = rows.model._default_manager.filter(pk__in=keys)
    end_leases_of_dead_processes(found)
    taken = take(rows)
    renewal = _Renewal(found) if taken else None
    try:
        yield taken
    finally:
        if renewal:
            renewal.stop()
            release(found)


def enqueue_once(
    rows: Rows,
    job: Callable[..., object],
    *args: Any,
    even_if_queued: bool = False,
    patience: timedelta = QUEUED_FOR,
) -> bool:
    """Queue a job for the rows unless a process works on them or a job is queued; return whether it did.

    A job that has not started after `patience` counts as lost, unless the queue still has it: then it gets
    more time. With `even_if_queued`, a job is queued in addition to a waiting one of another kind.
    """
    free = untaken() if even_if_queued else unleased()
    if not rows.filter(free).update(lease_until=timezone.now() + patience, lease_owner=""):
        return False
    if is_waiting(job, *args, fresh=even_if_queued):
        return False
    enqueue(job, *args)
    return True


def end_leases_of_dead_processes(rows: Rows) -> int:
    """End the leases of processes of this machine that no longer run; return how many."""
    ended = 0
    leased = rows.filter(lease_until__gt=timezone.now()).exclude(lease_owner="")
    for pk, owner in leased.values_list("pk", "lease_owner"):
        if is_dead(owner):
            row = rows.model._default_manager.filter(pk=pk, lease_owner=owner)
            ended += row.update(lease_until=None, lease_owner="")
    return ended


def is_dead(owner: str) -> bool:
    """Return whether `owner` was a process of this machine that no longer runs; False for other machines."""
    machine, _, holder = owner.rpartition(":")
    pid = holder.partition(".")[0]
    return machine == _machine() and pid.isdigit() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return winapi.is_alive(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Renewal(threading.Thread):
    """Renews a lease while its holder waits for long commands."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(name=f"lease of {rows.model.__name__}", daemon=True)
        self._rows = rows.filter(lease_owner=me())
        self._stopping = threading.Event()
        self.start()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        used_database = False
        while not self._stopping.wait(RENEW_EVERY):
            used_database = True
            try:
                self._rows.update(lease_until=timezone.now() + LEASE)
            except columns.OF_DATABASES:
                log.exception("could not renew a lease")
        if used_database:
            connection.close()
