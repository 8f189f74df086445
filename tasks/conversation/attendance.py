"""When users are here, and what happened while they were away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils import timezone

from tasks.models import Attendance, Run, StartReport, Task, Verdict
from workspaces.access import visible_workspaces
from workspaces.models import Host, LinkGap, Workspace

EVERY = timedelta(minutes=1)
"How often it is noted that a user is here."
ABSENCE = timedelta(minutes=30)
"A user of whom no page was visible for so long was away."
SHOWN_FOR = timedelta(days=1)
LONGEST = timedelta(days=90)
"The beginning of a longer absence is left out."
NAMED, GAPS = 5, 5
"Tasks and gaps that are named; the others are counted."


def note(user: User) -> bool:
    """Note that a page of the user is visible; return whether that ends an absence.

    It writes once a minute at most, whatever the number of pages.
    """
    now = timezone.now()
    row, is_new = Attendance.objects.get_or_create(user=user, defaults={"active_at": now})
    if is_new or now - row.active_at < EVERY:
        return False
    is_back = now - row.active_at >= ABSENCE
    absence = {"away_from": row.active_at, "away_until": now} if is_back else {}
    unchanged = Attendance.objects.filter(pk=row.pk, active_at=row.active_at)
    return bool(unchanged.update(active_at=now, **absence)) and is_back


def dismiss(user: User) -> None:
    """Hide what happened in the last absence."""
    Attendance.objects.filter(user=user).update(away_from=None, away_until=None)


def absence_of(user: User) -> Absence | None:
    """Return the user's last absence, unless it is dismissed or old."""
    row = Attendance.objects.filter(user=user, away_until__gt=timezone.now() - SHOWN_FOR).first()
    if row is None or row.away_from is None or row.away_until is None:
        return None
    start = max(row.away_from, row.away_until - LONGEST)
    return Absence(start, row.away_until, list(visible_workspaces(user)))


@dataclass(frozen=True)
class TaskGroup:
    """Tasks to which the same happened, the last one first."""

    count: int
    named: list[Task]

    @property
    def more(self) -> int:
        return self.count - len(self.named)


@dataclass(frozen=True)
class Gap:
    """A time without a link to a host, or in which this machine was asleep."""

    host: str
    "Empty for this machine."
    start: datetime
    end: datetime | None
    "None while the link is lost."


@dataclass
class Absence:
    """What happened in some workspaces from one time to another. All sums are calculated by the database."""

    start: datetime
    end: datetime
    workspaces: list[Workspace]

    @cached_property
    def runs(self) -> QuerySet[Run]:
        """The runs that ended."""
        ended = Run.objects.filter(finished_at__gte=self.start, finished_at__lt=self.end, state__in=Run.ENDED)
        began = ended.exclude(state=Run.State.CANCELLED, started_at=None)  # the others were unqueued
        return began.filter(task__workspace__in=self.workspaces)

    @cached_property
    def finished(self) -> TaskGroup:
        return self._ended(Run.State.SUCCEEDED)

    @cached_property
    def failed(self) -> TaskGroup:
        return self._ended(Run.State.FAILED, Run.State.LOST)

    @cached_property
    def cancelled(self) -> TaskGroup:
        return self._ended(Run.State.CANCELLED)

    def _ended(self, *states: str) -> TaskGroup:
        rows = self.runs.filter(state__in=states).order_by().values_list("task")
        tasks = rows.annotate(last=Max("finished_at")).order_by("-last")
        return _named([pk for pk, _ in tasks[:NAMED]], self._counts.get(states[0], 0))

    @cached_property
    def _counts(self) -> dict[str, int]:
        """The number of tasks by the state in which a run of them ended; lost runs count as failed."""
        lost = Q(state__in=(Run.State.FAILED, Run.State.LOST))
        found = self.runs.aggregate(
            succeeded=Count("task", distinct=True, filter=Q(state=Run.State.SUCCEEDED)),
            failed=Count("task", distinct=True, filter=lost),
            cancelled=Count("task", distinct=True, filter=Q(state=Run.State.CANCELLED)),
        )
        return {str(name): int(count) for name, count in found.items()}

    @cached_property
    def merged(self) -> TaskGroup:
        verdicts = Verdict.objects.filter(
            kind=Verdict.Kind.MERGED, at__gte=self.start, at__lt=self.end, task__workspace__in=self.workspaces
        )
        return _named(list(verdicts.order_by("-at").values_list("task", flat=True)[:NAMED]), verdicts.count())

    @cached_property
    def waiting(self) -> int:
        """How many runs wait for an answer now."""
        return Run.objects.filter(state=Run.State.WAITING, task__workspace__in=self.workspaces).count()

    @cached_property
    def _sums(self) -> dict[str, int | Decimal | None]:
        unpriced = Q(cost_usd=None) & (Q(input_tokens__gt=0) | Q(output_tokens__gt=0))
        return self.runs.aggregate(
            count=Count("pk"), cost=Sum("cost_usd"), unpriced=Count("pk", filter=unpriced)
        )

    @property
    def run_count(self) -> int:
        return int(self._sums["count"] or 0)

    @property
    def cost(self) -> Decimal | None:
        """What the runs that ended have cost, from their start on; None if no cost is known."""
        cost = self._sums["cost"]
        return None if cost is None else Decimal(cost).quantize(Decimal("0.000001"))

    @property
    def unpriced(self) -> int:
        """How many of them have used tokens without a known cost."""
        return int(self._sums["unpriced"] or 0)

    @cached_property
    def gaps(self) -> list[Gap]:
        """The times without a link to a host of these workspaces, or in which this machine was asleep."""
        hosts = Host.objects.filter(key__in={workspace.address.key for workspace in self.workspaces})
        rows = LinkGap.objects.filter(Q(back_at=None) | Q(back_at__gt=self.start), lost_at__lt=self.end)
        links = rows.filter(host__in=hosts).select_related("host").order_by("-lost_at")
        found = [Gap(row.host.label, row.lost_at, row.back_at) for row in links]
        slept = StartReport.objects.filter(asleep_since__lt=self.end, at__gt=self.start)
        found += [Gap("", start, end) for start, end in slept.values_list("asleep_since", "at") if start]
        return sorted(found, key=lambda gap: gap.start)

    @property
    def named_gaps(self) -> list[Gap]:
        return self.gaps[-GAPS:]

    @property
    def more_gaps(self) -> int:
        return len(self.gaps) - len(self.named_gaps)

    @property
    def is_empty(self) -> bool:
        happened = (self.run_count, self.merged.count, self.waiting, self.gaps)
        return not any(happened)


def _named(pks: list[int], count: int) -> TaskGroup:
    found = Task.objects.only("title").in_bulk(pks)
    return TaskGroup(count, [found[pk] for pk in pks if pk in found])
