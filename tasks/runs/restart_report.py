"""Which runs continued, ended or were lost while the app was down, or its machine asleep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.utils import timezone

from aitask.lib import doorbell, leases
from tasks.models import Run, StartReport
from workspaces.access import visible_workspaces
from workspaces.models import Host

SHOWN_FOR = timedelta(days=1)
NAMED = 4
"Maximum runs listed per group; the others are counted."


@dataclass(frozen=True)
class RestartReport:
    """The runs that were live at the start of the gap, grouped by what happened to them."""

    pk: int
    asleep_since: datetime | None
    "When the machine fell asleep; None if the app was started."
    until: datetime
    kept_running: list[Run]
    ended: list[Run]
    lost: list[Run]

    @property
    def parts(self) -> list[tuple[str, list[Run], int]]:
        """Label, the first runs, and the number of further ones, for each group."""
        groups = [("kept running", self.kept_running), ("ended", self.ended), ("lost", self.lost)]
        return [(label, runs[:NAMED], len(runs[NAMED:])) for label, runs in groups if runs]


def note_start(*, asleep_since: datetime | None = None) -> None:
    """Record which runs are live now, if any."""
    live = list(Run.objects.filter(state__in=Run.ACTIVE).values_list("pk", flat=True))
    if live:
        StartReport.objects.create(runs=live, asleep_since=asleep_since)
        doorbell.ring("board")


def note_sleep(began: datetime, _ended: datetime) -> None:
    """Record that this machine was asleep, unless another follower has done so. Called in a thread."""
    try:
        if not StartReport.objects.filter(at__gt=began).exists():
            note_start(asleep_since=began)
    finally:
        connection.close()


def note_follower() -> None:
    """Record a start if a follower was started by itself and no other one was running."""
    leases_now = Host.objects.filter(lease_until__gt=timezone.now()).values_list("lease_owner", flat=True)
    if all(leases.is_dead(owner) for owner in leases_now if owner):
        note_start()


def report_for(user: AbstractBaseUser | AnonymousUser, *, dismissed: int) -> RestartReport | None:
    """Return the report of the last start; None if the user has dismissed it or it is old."""
    row = StartReport.objects.filter(pk__gt=dismissed, at__gt=timezone.now() - SHOWN_FOR).last()
    if row is None:
        return None
    runs = Run.objects.filter(pk__in=row.runs, task__workspace__in=visible_workspaces(user))
    found = RestartReport(row.pk, row.asleep_since, row.at, [], [], [])
    for run in runs.select_related("task").order_by("pk"):
        if run.state == Run.State.LOST:
            found.lost.append(run)
        elif run.finished_at and run.finished_at <= row.at:
            found.ended.append(run)
        else:
            found.kept_running.append(run)
    return found if found.kept_running or found.ended or found.lost else None
