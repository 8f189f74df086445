"""One watch per host that has live runs, each host leased to one follower at a time."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, close_old_connections

from aitask.lib import doorbell, leases
from tasks.models import Run
from tasks.runs.follower import repairs
from tasks.runs.follower.watch import HostWatch, runs_to_follow
from workspaces.catalog import services as catalog_services
from workspaces.models import Host, Workspace

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
PACE = 1.0
"Seconds between two rounds when nobody rings."
MODELS_PACE = 10.0
"Seconds between two looks for workspaces whose CLIs were never asked for their models."


class Follower:
    """Runs until `stop`; any number of them share the hosts by leases."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.watches: dict[int, HostWatch] = {}
        self._asked_for_models: float | None = None

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        """Round after round; a database that is away is waited for."""
        while not self.stopping.is_set():
            try:
                self.step()
                doorbell.wait({"queue"}, PACE)
            except DatabaseError:
                log.exception("the database can't be reached; trying again")
                close_old_connections()
                self.stopping.wait(PACE)
        for watch in self.watches.values():
            watch.stop()
        for watch in self.watches.values():
            watch.join(timeout=2)
        leases.release(Host.objects.all())

    def step(self) -> None:
        """One round: the right watches, then what others left undone."""
        mine = {host.pk: host for host in busy_hosts() if lease_host(host)}
        for pk in set(self.watches) - set(mine):
            self.watches.pop(pk).stop()
        for pk, host in mine.items():
            self._watch(pk, host)
        repairs.repair()
        self._want_models()

    def _want_models(self) -> None:
        """At the start of a backend every CLI is asked what it offers; later only what is due."""
        now = time.monotonic()
        if self._asked_for_models is None:
            catalog_services.request_at_start()
        elif now - self._asked_for_models >= MODELS_PACE:
            catalog_services.request_missing()
        else:
            catalog_services.enqueue_due()
            return
        self._asked_for_models = now

    def _watch(self, pk: int, host: Host) -> None:
        watch = self.watches.get(pk)
        if watch is None or not watch.is_alive():
            watch = self.watches[pk] = HostWatch(host)
            watch.start()
        watch.look.set()


def busy_hosts() -> list[Host]:
    """Hosts on which a run is live or has events that were not read yet."""
    workspaces = Workspace.objects.filter(tasks__runs__state__in=Run.LIVE).distinct()
    live = {workspace.host.pk: workspace.host for workspace in workspaces}
    others = Host.objects.exclude(pk__in=live)
    return [*live.values(), *(host for host in others if runs_to_follow(host))]


def lease_host(host: Host) -> bool:
    """Take or renew the right to watch a host; False when another follower has it."""
    rows = Host.objects.filter(pk=host.pk)
    if leases.renew(rows, duration=LEASE):
        return True
    if leases.is_dead(host.lease_owner):
        leases.end_leases_of_dead_processes(rows)
    return leases.take(rows, duration=LEASE)
