"""After a start of the app: which runs went on, which ended meanwhile, which are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone

from aitask.lib import doorbell, leases
from tasks.models import Run, StartReport
from workspaces.access import visible_workspaces
from workspaces.models import Host

SHOWN_FOR = timedelta(days=1)
NAMED = 4
"Runs of one kind that are named; the others are counted."


@dataclass(frozen=True)
class RestartReport:
    """The runs that were live when the app was started, by what became of them until then."""

    pk: int
    went_on: list[Run]
    ended: list[Run]
    gone: list[Run]

    @property
    def parts(self) -> list[tuple[str, list[Run], int]]:
        """Word, the first runs, and how many more there are."""
        groups = [("went on", self.went_on), ("ended meanwhile", self.ended), ("lost", self.gone)]
        return [(word, runs[:NAMED], len(runs[NAMED:])) for word, runs in groups if runs]


def note_start() -> None:
    """Remember which runs are live now; nothing when none is."""
    live = list(Run.objects.filter(state__in=Run.ACTIVE).values_list("pk", flat=True))
    if live:
        StartReport.objects.create(runs=live)
        doorbell.ring("board")


def note_follower() -> None:
    """A follower was started by itself: that is a start of the app, unless another one was at work."""
    leases_now = Host.objects.filter(lease_until__gt=timezone.now()).values_list("lease_owner", flat=True)
    if all(leases.is_dead(owner) for owner in leases_now if owner):
        note_start()


def report_for(user: AbstractBaseUser | AnonymousUser, *, dismissed: int) -> RestartReport | None:
    """The report of the last start, unless this person has seen it or it is old."""
    row = StartReport.objects.filter(pk__gt=dismissed, at__gt=timezone.now() - SHOWN_FOR).last()
    if row is None:
        return None
    runs = Run.objects.filter(pk__in=row.runs, task__workspace__in=visible_workspaces(user))
    found = RestartReport(row.pk, [], [], [])
    for run in runs.select_related("task").order_by("pk"):
        if run.state == Run.State.LOST:
            found.gone.append(run)
        elif run.finished_at and run.finished_at <= row.at:
            found.ended.append(run)
        else:
            found.went_on.append(run)
    return found if found.went_on or found.ended or found.gone else None
