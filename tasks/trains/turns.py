"""Whose turn it is to work on a row with a lease. It ends by itself, or at once with its process."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, models
from django.db.models import Q
from django.utils import timezone

from aitask.lib.queue import enqueue
from tasks.runs import leases

LEASE = timedelta(seconds=60)
RENEW_EVERY = 15.0
NUDGE = timedelta(seconds=10)

log = logging.getLogger(__name__)


class TurnLost(Exception):
    """Another worker has taken over; this one must not go on."""


def free() -> Q:
    """Rows that nobody holds: no lease, or an ended one."""
    return Q(lease_until=None) | Q(lease_until__lt=timezone.now())


def nudge(rows: models.QuerySet[Any], job: str, pk: int, *, patience: timedelta = NUDGE) -> bool:
    """Send for a worker unless one is there or sent for; it is sent for again after `patience`."""
    sent = rows.filter(free(), pk=pk).update(lease_until=timezone.now() + patience, lease_owner="")
    if sent:
        enqueue(job, pk)
    return bool(sent)


def rest(rows: models.QuerySet[Any], pk: int, pause: timedelta) -> None:
    """Nothing is to be done for a while; who repairs lost nudges then sends for a worker."""
    rows.filter(pk=pk, lease_owner__in=("", leases.me())).update(
        lease_until=timezone.now() + pause, lease_owner=""
    )


@contextlib.contextmanager
def held(rows: models.QuerySet[Any], pk: int) -> Iterator[bool]:
    """Take the row for this thread, renew meanwhile, give it back at the end; gives whether it was taken."""
    owner = leases.me()
    void_of_dead(rows.filter(pk=pk))
    until = timezone.now() + LEASE
    taken = bool(rows.filter(free() | Q(lease_owner=""), pk=pk).update(lease_until=until, lease_owner=owner))
    keeper = Keeper(rows, pk, owner) if taken else None
    try:
        yield taken
    finally:
        if keeper:
            keeper.stop()
            rows.filter(pk=pk, lease_owner=owner).update(lease_until=None, lease_owner="")


def void_of_dead(rows: models.QuerySet[Any]) -> None:
    """End the leases of processes of this machine that are no more."""
    for pk, owner in rows.exclude(lease_owner="").values_list("pk", "lease_owner"):
        if leases.is_dead(owner):
            rows.filter(pk=pk, lease_owner=owner).update(lease_until=None, lease_owner="")


class Keeper(threading.Thread):
    """Renews a lease while its holder is busy with long commands."""

    def __init__(self, rows: models.QuerySet[Any], pk: int, owner: str) -> None:
        super().__init__(name=f"lease of {pk}", daemon=True)
        self.rows = rows.filter(pk=pk, lease_owner=owner)
        self._stopping = threading.Event()
        self.start()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        used = False
        while not self._stopping.wait(RENEW_EVERY):
            used = True
            try:
                self.rows.update(lease_until=timezone.now() + LEASE)
            except DatabaseError:
                log.exception("could not renew a lease")
        if used:
            connection.close()
