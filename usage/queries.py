"""The report of a range of days. The database adds up; here only small tables are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet, Sum

from tasks.models import Task, Verdict
from usage.aggregation import AMOUNTS, Amounts, SpanSum, Sums, groups
from usage.models import SIZE, Series, UsageByModel, dollars
from usage.periods import Period
from workspaces import clis
from workspaces.access import visible_workspaces
from workspaces.models import Workspace

TASKS_SHOWN = 20


@dataclass
class ReportRow:
    """One line of a table."""

    key: Any
    sums: Sums
    label: str = ""
    backend: str = ""


@dataclass
class Merged:
    """The tasks that were merged on these days, each with all its runs, also those of other days."""

    count: int = 0
    "Those that used anything."
    priced: int = 0
    "Those of them whose cost is known."
    cost_per_task: Decimal | None = None
    "Dollars, over the priced ones; None without any."
    costliest: list[ReportRow] = field(default_factory=list)

    @property
    def unpriced(self) -> int:
        return self.count - self.priced


@dataclass
class UsageReport:
    """Everything about one range of days."""

    period: Period
    totals: Sums = field(default_factory=Sums)
    before: Sums = field(default_factory=Sums)
    by_workspace: list[ReportRow] = field(default_factory=list)
    by_backend: list[ReportRow] = field(default_factory=list)
    by_model: list[ReportRow] = field(default_factory=list)
    by_day: list[ReportRow] = field(default_factory=list)
    by_day_and_model: dict[tuple[date, str], Sums] = field(default_factory=dict)
    by_task: list[ReportRow] = field(default_factory=list)
    merged: Merged = field(default_factory=Merged)

    @property
    def is_empty(self) -> bool:
        return not self.totals.runs


User = AbstractBaseUser | AnonymousUser


def chosen(user: User, workspace: Workspace | None) -> list[Workspace]:
    """This one, or all that the person sees."""
    return [workspace] if workspace else list(visible_workspaces(user))


def series_of(workspaces: list[Workspace]) -> dict[int, Series]:
    found = Series.objects.filter(workspace__in=workspaces).select_related("workspace")
    return {each.pk: each for each in found}


def report(user: User, period: Period, workspace: Workspace | None = None) -> UsageReport:
    """A few queries over the rows of the range and the one before, whatever their number."""
    workspaces = chosen(user, workspace)
    series = series_of(workspaces)
    made = UsageReport(period)
    days = period.spans()
    found = list(groups(series, [*days, (period.before.start, period.before.end)]))
    for group in found:
        if group.span == len(days):
            made.before.add(group.amounts, series[group.series].costing)
    _fill_days(made, [group for group in found if group.span < len(days)], series)
    rows = _of_tasks(series)
    made.by_task = _tasks(rows.filter(minute__gte=period.start, minute__lt=period.end), series)
    made.merged = _merged(rows.filter(task__in=_merged_tasks(workspaces, period)), series)
    return made


def _fill_days(made: UsageReport, found: Iterable[SpanSum], series: Mapping[int, Series]) -> None:
    days = [ReportRow(day, Sums(), str(day)) for day in made.period.dates()]
    whole: dict[int, list[int]] = {}
    for place, number, amounts in found:
        kind, line = series[number], days[place]
        line.sums.add(amounts, kind.costing)
        made.by_day_and_model.setdefault((line.key, kind.model), Sums()).add(amounts, kind.costing)
        known = whole.setdefault(number, [0] * len(AMOUNTS))
        whole[number] = [one + (other or 0) for one, other in zip(known, amounts, strict=True)]
    made.by_day = days
    _fill_tables(made, [(series[number], amounts) for number, amounts in whole.items()])


Kinds = list[tuple[Series, Amounts]]


def _fill_tables(made: UsageReport, kinds: Kinds) -> None:
    for kind, amounts in kinds:
        made.totals.add(amounts, kind.costing)
    made.by_workspace = _lines(kinds, lambda kind: kind.workspace_id, lambda kind: kind.workspace.name)
    made.by_backend = _lines(kinds, lambda kind: kind.backend, _backend)
    made.by_model = _lines(
        kinds,
        lambda kind: (kind.backend, kind.model),
        lambda kind: kind.model or f"{_backend(kind)}, model not named",
    )


def _backend(kind: Series) -> str:
    return clis.label_of(kind.backend)


def _lines(
    kinds: Kinds, key_of: Callable[[Series], Any], label_of: Callable[[Series], str]
) -> list[ReportRow]:
    """The sums put together by a key, most tokens first."""
    lines: dict[Any, ReportRow] = {}
    for kind, amounts in kinds:
        key = key_of(kind)
        if key not in lines:
            lines[key] = ReportRow(key, Sums(), label_of(kind), kind.backend)
        lines[key].sums.add(amounts, kind.costing)
    return sorted(lines.values(), key=lambda line: (-line.sums.tokens, line.label))


def _of_tasks(series: Mapping[int, Series]) -> QuerySet[UsageByModel]:
    """The rows of these series whose task is still there."""
    rows = UsageByModel.objects.exclude(task=None).order_by()
    return rows.filter(series__in=list(series)) if Series.objects.count() > len(series) else rows


def _tasks(rows: QuerySet[UsageByModel], series: Mapping[int, Series]) -> list[ReportRow]:
    """The tasks that used most."""
    heavy = rows.values("task").annotate(weight=Sum(SIZE)).order_by("-weight")
    return _task_lines(rows, [row["task"] for row in heavy[:TASKS_SHOWN]], series)


def task_sums(series: Mapping[int, Series], period: Period) -> Iterable[tuple[Any, ...]]:
    """(task, title, series, *AMOUNTS) of all tasks that used anything on these days."""
    rows = _of_tasks(series).filter(minute__gte=period.start, minute__lt=period.end)
    sums = {f"sum_{name}": Sum(name) for name in AMOUNTS}
    parts = rows.values("task", "task__title", "series").annotate(**sums)
    return parts.values_list("task", "task__title", "series", *sums).iterator()


def _task_lines(
    rows: QuerySet[UsageByModel], tasks: list[int], series: Mapping[int, Series]
) -> list[ReportRow]:
    """What these tasks used, in this order."""
    titles = dict(Task.objects.filter(pk__in=tasks).values_list("pk", "title"))
    lines = {task: ReportRow(task, Sums(), titles.get(task, "")) for task in tasks}
    sums = {f"sum_{name}": Sum(name) for name in AMOUNTS}
    parts = rows.filter(task__in=tasks).values("task", "series").annotate(**sums)
    for task, number, *amounts in parts.values_list("task", "series", *sums):
        lines[task].sums.add(amounts, series[number].costing)
    return list(lines.values())


def _merged_tasks(workspaces: list[Workspace], period: Period) -> QuerySet[Verdict, Any]:
    """Those that are merged now and were so on a day of the range; an undone merge is none."""
    start, end = (datetime.fromtimestamp(60 * minute, UTC) for minute in (period.start, period.end))
    merged = Verdict.objects.filter(kind=Verdict.Kind.MERGED, at__gte=start, at__lt=end)
    return merged.filter(task__workspace__in=workspaces).values("task")


def _merged(rows: QuerySet[UsageByModel], series: Mapping[int, Series]) -> Merged:
    costs: dict[int, int | None] = dict(
        rows.values("task").annotate(cost=Sum("cost_micro")).values_list("task", "cost")
    )
    known = [cost for cost in costs.values() if cost is not None]
    order = sorted(costs, key=lambda task: (costs[task] is None, -(costs[task] or 0), task))
    return Merged(
        len(costs),
        len(known),
        dollars(round(sum(known) / len(known))) if known else None,
        _task_lines(rows, order[:TASKS_SHOWN], series) if order else [],
    )
