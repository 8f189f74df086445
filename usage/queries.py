"""Sums of what was used. The database adds up; here only small tables are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Count, F, QuerySet, Sum

from tasks.models import Task
from usage import ledger
from usage.models import TOKENS, Series, UsageByModel, dollars
from usage.periods import Period, day_of
from workspaces.access import visible_workspaces
from workspaces.models import Backend, Workspace

TASKS_SHOWN = 20


@dataclass
class Sums:
    """What some runs used together."""

    runs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro: int | None = None
    "None: nothing has a known cost."
    estimated_micro: int = 0
    "The part of the cost that is estimated."
    has_estimate: bool = False
    has_report: bool = False
    unpriced_tokens: int = 0
    "Tokens of which nobody says what they cost."

    def add(self, row: Mapping[str, Any], series: Series) -> None:
        for name in ("runs", *TOKENS):
            setattr(self, name, getattr(self, name) + (row[name] or 0))
        if series.costing == Series.Costing.UNKNOWN:
            self.unpriced_tokens += sum(row[name] for name in TOKENS if name != "reasoning_tokens")
            return
        self.cost_micro = (self.cost_micro or 0) + (row["cost_micro"] or 0)
        if series.costing == Series.Costing.ESTIMATED:
            self.estimated_micro += row["cost_micro"] or 0
            self.has_estimate = True
        else:
            self.has_report = True

    @property
    def tokens(self) -> int:
        """All that went through: reasoning is a part of the output."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def cost(self) -> Decimal | None:
        return dollars(self.cost_micro)

    @property
    def cost_source(self) -> str | None:
        """reported, estimated, or mixed; None without a cost."""
        if self.has_estimate:
            return "mixed" if self.has_report else "estimated"
        return "reported" if self.has_report else None


@dataclass
class Line:
    """One line of a table."""

    key: Any
    sums: Sums
    label: str = ""
    backend: str = ""


@dataclass
class Report:
    """Everything about one range of days."""

    period: Period
    totals: Sums = field(default_factory=Sums)
    before: Sums = field(default_factory=Sums)
    by_workspace: list[Line] = field(default_factory=list)
    by_backend: list[Line] = field(default_factory=list)
    by_model: list[Line] = field(default_factory=list)
    by_day: list[Line] = field(default_factory=list)
    by_day_and_model: dict[tuple[date, str], Sums] = field(default_factory=dict)
    by_task: list[Line] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.totals.runs


User = AbstractBaseUser | AnonymousUser


def report(user: User, period: Period, workspace: Workspace | None = None) -> Report:
    """A few queries over the rows of the range and the one before, whatever their number."""
    ledger.catch_up()
    workspaces = [workspace] if workspace else list(visible_workspaces(user))
    series = {
        each.pk: each for each in Series.objects.filter(workspace__in=workspaces).select_related("workspace")
    }
    made = Report(period)
    _fill(made, _sums(_rows(series, period).annotate(day=period.day_number()), "series", "day"), series)
    for row in _sums(_rows(series, period.before), "series"):
        made.before.add(row, series[row["series"]])
    made.by_task = _tasks(series, period)
    return made


def _rows(series: Iterable[int], period: Period) -> QuerySet[UsageByModel]:
    return _within(period).filter(series__in=list(series))


def _within(period: Period) -> QuerySet[UsageByModel]:
    return UsageByModel.objects.filter(minute__gte=period.start, minute__lt=period.end)


def _sums(rows: Any, *keys: str) -> list[dict[str, Any]]:
    """The sums of each group."""
    sums = {name: Sum(name) for name in ("runs", *TOKENS, "cost_micro")}
    return list(rows.order_by().values(*keys).annotate(**sums))


def _fill(made: Report, groups: list[dict[str, Any]], series: Mapping[int, Series]) -> None:
    for row in groups:
        kind = series[row["series"]]
        made.totals.add(row, kind)
        key = (day_of(row["day"]), kind.model)
        made.by_day_and_model.setdefault(key, Sums()).add(row, kind)
    made.by_workspace = _lines(groups, series, lambda _, kind: kind.workspace_id)
    for line in made.by_workspace:
        line.label = next(each.workspace.name for each in series.values() if each.workspace_id == line.key)
    made.by_backend = _lines(groups, series, lambda _, kind: kind.backend)
    for line in made.by_backend:
        line.label = str(dict(Backend.choices).get(line.key, line.key))
    made.by_model = _lines(groups, series, lambda _, kind: (kind.backend, kind.model))
    for line in made.by_model:
        line.label = line.key[1] or f"{dict(Backend.choices).get(line.backend)}, model not named"
    days = {line.key: line for line in _lines(groups, series, lambda row, _: day_of(row["day"]))}
    made.by_day = [days.get(day) or Line(day, Sums()) for day in made.period.dates()]


def _lines(
    groups: list[dict[str, Any]],
    series: Mapping[int, Series],
    key_of: Callable[[dict[str, Any], Series], Any],
) -> list[Line]:
    """The groups put together by a key, most tokens first."""
    lines: dict[Any, Line] = {}
    for row in groups:
        kind = series[row["series"]]
        key = key_of(row, kind)
        line = lines.setdefault(key, Line(key, Sums(), str(key), kind.backend))
        line.sums.add(row, kind)
    return sorted(lines.values(), key=lambda line: (-line.sums.tokens, line.label))


def _tasks(series: Mapping[int, Series], period: Period) -> list[Line]:
    """The tasks that used most."""
    rows = _within(period).exclude(task=None)
    if Series.objects.count() > len(series):
        rows = rows.filter(series__in=list(series))
    weight = Sum(F("input_tokens") + F("output_tokens") + F("cache_read_tokens") + F("cache_write_tokens"))
    heavy = rows.order_by().values("task").annotate(weight=weight).order_by("-weight")
    tasks = [row["task"] for row in heavy[:TASKS_SHOWN]]
    titles = dict(Task.objects.filter(pk__in=tasks).values_list("pk", "title"))
    lines = _lines(_sums(rows.filter(task__in=tasks), "task", "series"), series, lambda row, _: row["task"])
    for line in lines:
        line.label = titles.get(line.key, "")
    return lines


def cost_per_done_task(report: Report) -> Decimal | None:
    """Dollars per task that is done, of those that were worked on in the range; None without any."""
    done = (
        _within(report.period)
        .filter(series__workspace__in=[line.key for line in report.by_workspace], task__status="done")
        .aggregate(tasks=Count("task", distinct=True), cost=Sum("cost_micro"))
    )
    cost = dollars(done["cost"])
    return cost / done["tasks"] if done["tasks"] and cost is not None else None
