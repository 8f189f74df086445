"""Holds for queued runs: a delayed start, a used-up budget, a full plan. Running agents are not affected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import Q, Sum
from django.utils import timezone

from aitask.lib.formats import in_words
from tasks.models import Run
from usage import limits
from usage.models import SIZE, Budget, Postponed, UsageByModel, dollars
from usage.periods import Period, zone_called
from workspaces.models import Workspace


@dataclass(frozen=True)
class Spent:
    """One limit of a budget, and how much of it is used."""

    name: str
    "`day` or `month`."
    unit: str
    "`tokens` or `dollars`."
    limit: Decimal
    used: Decimal
    until: datetime
    "When the day or month ends."
    unpriced: int = 0
    "Tokens without a known cost, which are not included in sums of dollars."

    @property
    def percent(self) -> int:
        return int(100 * self.used / self.limit) if self.limit else 100

    @property
    def is_used_up(self) -> bool:
        return self.used >= self.limit

    @property
    def warns(self) -> bool:
        return self.percent >= 80 and not self.is_used_up

    @property
    def words(self) -> str:
        """The amounts as text, such as `$4.20 of $5.00 today`."""
        when = "today" if self.name == "day" else "this month"
        if self.unit == "dollars":
            more = f", and {self.unpriced:,} tokens of unknown cost" if self.unpriced else ""
            return f"${self.used:.2f} of ${self.limit:.2f} {when}{more}"
        return f"{int(self.used):,} of {int(self.limit):,} tokens {when}"


def hold_reason(workspace: Workspace) -> HoldReason:
    """Return the function that the dispatcher calls for each queued run (hook `hold_reason`)."""
    return HoldReason(workspace)


class HoldReason:
    """Returns why a queued run of the workspace can't start; empty if it can. Reads each row only once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.now = timezone.now()
        self._plan_holds: dict[str, str] = {}

    def __call__(self, run: Run) -> str:
        return self._delayed.get(run.pk, "") or self._over_budget or self._plan_hold(run.backend)

    @cached_property
    def _delayed(self) -> dict[int, str]:
        rows = Postponed.objects.filter(
            run__task__workspace=self.workspace, run__state=Run.State.QUEUED, not_before__gt=self.now
        )
        return {row.run_id: f"Starts at {in_words(row.not_before)}, when the limit resets." for row in rows}

    @cached_property
    def _budget(self) -> Budget | None:
        return Budget.objects.filter(workspace=self.workspace).first()

    @cached_property
    def _over_budget(self) -> str:
        budget = self._budget
        if budget is None or (budget.lifted_until and budget.lifted_until > self.now):
            return ""
        used_up = [spent for spent in spending(budget, self.now) if spent.is_used_up]
        if not used_up:
            return ""
        last = max(used_up, key=lambda spent: spent.until)
        return f"Held: the budget is used up ({last.words}). It resets at {in_words(last.until)}."

    def _plan_hold(self, backend: str) -> str:
        if backend not in self._plan_holds:
            self._plan_holds[backend] = self._full_plan(backend)
        return self._plan_holds[backend]

    def _full_plan(self, backend: str) -> str:
        budget = self._budget
        if budget is None or budget.hold_above_percent is None:
            return ""
        windows = limits.windows_for_start(self.workspace, backend)
        full = [each for each in windows if (each.percent or 0) > budget.hold_above_percent]
        if not full:
            return ""
        last = max(full, key=lambda each: each.reading.resets_at or self.now)
        resets = f" until it resets at {in_words(last.reading.resets_at)}" if last.reading.resets_at else ""
        return (
            f"Held{resets}: the plan limit “{last.label}” is {round(last.percent or 0, 1):g} % used, "
            f"and no run starts above {budget.hold_above_percent} %."
        )


def spending(budget: Budget, now: datetime) -> list[Spent]:
    """Return the limits of a budget that are set, and how much of them is used."""
    found = []
    for period, name in ((day(budget, now), "day"), (month(budget, now), "month")):
        tokens, usd = getattr(budget, f"{name}_tokens"), getattr(budget, f"{name}_usd")
        if tokens is None and usd is None:
            continue
        used_tokens, used_usd, unpriced = _used(budget, period)
        until = datetime.fromtimestamp(period.end * 60, now.tzinfo)
        if tokens is not None:
            found.append(Spent(name, "tokens", Decimal(tokens), Decimal(used_tokens), until))
        if usd is not None:
            found.append(Spent(name, "dollars", Decimal(usd), used_usd, until, unpriced))
    return found


def day(budget: Budget, now: datetime) -> Period:
    zone = zone_called(budget.zone)
    today = now.astimezone(zone).date()
    return Period(today, today, zone)


def month(budget: Budget, now: datetime) -> Period:
    zone = zone_called(budget.zone)
    first = now.astimezone(zone).date().replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(first, following - timedelta(days=1), zone)


def _used(budget: Budget, period: Period) -> tuple[int, Decimal, int]:
    """Return the used tokens and dollars, and how many of the tokens have no known cost."""
    rows = UsageByModel.objects.filter(
        series__workspace=budget.workspace_id, minute__gte=period.start, minute__lt=period.end
    )
    unpriced = Q(cost_micro=None)
    sums = rows.aggregate(tokens=Sum(SIZE), cost=Sum("cost_micro"), unpriced=Sum(SIZE, filter=unpriced))
    return sums["tokens"] or 0, dollars(sums["cost"] or 0) or Decimal(0), sums["unpriced"] or 0
