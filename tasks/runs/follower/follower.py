"""The follower: one watch per host with live runs. Each host is leased to one follower at a time."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta

from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from aitask.lib import columns, doorbell, heartbeat, leases
from tasks.models import Run
from tasks.runs import adoption
from tasks.runs.follower import repairs
from tasks.runs.follower.watch import HostWatch, unread
from workspaces.catalog import services as catalog_services
from workspaces.models import Host, Workspace

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
STUCK = 60.0
"Seconds after which a round that has not ended is stuck; waiting for a locked database takes up to 20."
PACE, CALM_PACE = 1.0, 2.5
"Seconds between two rounds without a ring, while the queue changes and when it has not for CALM seconds."
REPAIR_PACE, CALM_REPAIR_PACE = 0.9, 9.0
"Least seconds between two repairs, likewise."
CALM = 15.0
MODELS_PACE = 10.0
"Seconds between two searches for workspaces without model lists."


class Follower:
    """Follows hosts until `stop` is called. Any number of followers share the hosts by leases."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.watches: dict[int, HostWatch] = {}
        self._repaired_at = float("-inf")
        self._rung_at = time.monotonic()
        self._requested_models_at: float | None = None
        self._started_at = timezone.now()
        self._asked_for_runs: dict[int, datetime] = {}

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        """Repeat `step`; wait for a database that can't be reached."""
        while not self.stopping.is_set():
            heartbeat.expect(STUCK)
            try:
                self.step()
                self._wait_for_ring()
            except columns.OF_DATABASES:
                log.exception("the database can't be reached; retrying")
                close_old_connections()
                self.stopping.wait(PACE)
        for watch in self.watches.values():
            watch.stop()
        for watch in self.watches.values():
            watch.join(timeout=2)
        leases.release(Host.objects.all())

    @property
    def _is_calm(self) -> bool:
        return time.monotonic() - self._rung_at > CALM

    def _wait_for_ring(self) -> None:
        """Wait until the queue has changed. Other changes are no reason for a round before its time."""
        until = time.monotonic() + (CALM_PACE if self._is_calm else PACE)
        while (left := until - time.monotonic()) > 0 and not self.stopping.is_set():
            if "queue" in doorbell.wait({"queue"}, min(left, PACE)):  # a stop is noticed between
                self._rung_at = time.monotonic()
                return

    def step(self) -> None:
        """Start and stop watches as needed, then make repairs that are due."""
        leased = {host.pk: host for host in busy_hosts() if lease_host(host)}
        for pk in set(self.watches) - set(leased):
            self.watches.pop(pk).stop()
        for pk, host in leased.items():
            self._watch(pk, host)
        pace = CALM_REPAIR_PACE if self._is_calm else REPAIR_PACE
        if time.monotonic() - self._repaired_at >= pace:
            repairs.repair()
            self._repaired_at = time.monotonic()
        adoption.enqueue_due(self._started_at, self._asked_for_runs)
        self._request_models()

    def _request_models(self) -> None:
        """Request the models of every CLI at the start, later only missing and due lists."""
        now = time.monotonic()
        if self._requested_models_at is None:
            catalog_services.request_at_start()
        elif now - self._requested_models_at >= MODELS_PACE:
            catalog_services.request_missing()
        else:
            catalog_services.enqueue_due()
            return
        self._requested_models_at = now

    def _watch(self, pk: int, host: Host) -> None:
        watch = self.watches.get(pk)
        if watch is None or not watch.is_alive():
            watch = self.watches[pk] = HostWatch(host)
            watch.start()
        watch.runs_changed.set()


def busy_hosts() -> list[Host]:
    """Return the hosts with live runs or with unread events."""
    runs = Run.objects.filter(Q(state__in=Run.LIVE) | unread())
    workspaces = Workspace.objects.filter(pk__in=runs.values("task__workspace"))
    by_key = {workspace.address.key: workspace for workspace in workspaces}
    hosts = {host.key: host for host in Host.objects.filter(key__in=by_key)} if by_key else {}
    return [hosts.get(key) or workspace.host for key, workspace in by_key.items()]


def lease_host(host: Host) -> bool:
    """Take or renew the lease of a host; return False if another follower has it."""
    rows = Host.objects.filter(pk=host.pk)
    if leases.renew(rows, duration=LEASE):
        return True
    if leases.is_dead(host.lease_owner):
        leases.end_leases_of_dead_processes(rows)
    return leases.take(rows, duration=LEASE)
