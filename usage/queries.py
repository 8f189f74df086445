"""The usage report of a period. The database calculates the sums; this module builds the tables."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet, Sum
from django.utils import timezone

from tasks.models import Run, Task, Verdict
from usage.aggregation import AMOUNTS, Amounts, SpanSum, Sums, groups
from usage.models import SIZE, Series, UsageByModel, dollars
from usage.periods import Period
from workspaces import clis
from workspaces.access import visible_workspaces
from workspaces.models import Workspace

TASKS_SHOWN = 20


@dataclass
class ReportRow:
    """A row of a table. `key` is the grouped value, such as a day or a task's id."""

    key: Any
    sums: Sums
    label: str = ""
    backend: str = ""


@dataclass
class Merged:
    """The tasks that were merged in the period, each with all its runs, also those of other days."""

    count: int = 0
    "Number of merged tasks with any usage."
    priced: int = 0
    "Number of those whose cost is known."
    cost_per_task: Decimal | None = None
    "Average in dollars over the priced tasks; None if there are none."
    costliest: list[ReportRow] = field(default_factory=list)

    @property
    def unpriced(self) -> int:
        return self.count - self.priced


@dataclass
class UsageReport:
    """The usage of a period."""

    period: Period
    totals: Sums = field(default_factory=Sums)
    before: Sums = field(default_factory=Sums)
    by_workspace: list[ReportRow] = field(default_factory=list)
    by_backend: list[ReportRow] = field(default_factory=list)
    by_model: list[ReportRow] = field(default_factory=list)
    by_day: list[ReportRow] = field(default_factory=list)
    by_slot_and_model: dict[tuple[int, str], Sums] = field(default_factory=dict)
    "By index in `period.slots()` and model."
    by_task: list[ReportRow] = field(default_factory=list)
    merged: Merged = field(default_factory=Merged)

    @property
    def is_empty(self) -> bool:
        return not self.totals.runs


class RunningRun(NamedTuple):
    """A run whose agent is still at work. `minute` is that of its start, `seconds` its time so far."""

    series: int
    task: int | None
    minute: int
    seconds: int


User = AbstractBaseUser | AnonymousUser


def chosen(user: User, workspace: Workspace | None) -> list[Workspace]:
    """Return the given workspace, or all that the user can see."""
    return [workspace] if workspace else list(visible_workspaces(user))


def series_of(workspaces: list[Workspace]) -> dict[int, Series]:
    """Return the series of these workspaces, by primary key."""
    rows = Series.objects.filter(workspace__in=workspaces).select_related("workspace")
    return {row.pk: row for row in rows}


def report(user: User, period: Period, workspace: Workspace | None = None) -> UsageReport:
    """Return the report of a period. The number of queries does not depend on the number of rows."""
    workspaces = chosen(user, workspace)
    series = series_of(workspaces)
    result = UsageReport(period)
    slots = period.slots()
    sums = list(groups(series, [*slots, (period.before.start, period.before.end)]))
    for each in sums:
        if each.span == len(slots):
            result.before.add(each.amounts, series[each.series].costing)
    running = running_of(series, period)
    in_period = [each for each in sums if each.span < len(slots)]
    _fill_slots(result, [*in_period, *_time_so_far(running, slots)], series)
    rows = _rows_with_task(series)
    result.by_task = _top_tasks(rows.filter(minute__gte=period.start, minute__lt=period.end), series)
    for line in result.by_task:
        line.sums.seconds += sum(run.seconds for run in running if run.task == line.key)
    result.merged = _merged(rows.filter(task__in=_merged_tasks(workspaces, period)), series)
    return result


def running_of(series: Collection[int], period: Period) -> list[RunningRun]:
    """Return the runs of a period whose agents are still at work: their rows have no time yet."""
    active = Run.objects.filter(state__in=Run.ACTIVE, started_at__isnull=False)
    started = dict(active.order_by().values_list("pk", "started_at"))
    rows = UsageByModel.objects.filter(run__in=list(started), runs=1).order_by()
    now = timezone.now()
    return [
        RunningRun(pk, task, minute, max(0, int((now - (started[run] or now)).total_seconds())))
        for run, pk, task, minute in rows.values_list("run", "series", "task", "minute")
        if run and pk in series and period.start <= minute < period.end
    ]


def _time_so_far(running: Iterable[RunningRun], slots: Sequence[tuple[int, int]]) -> Iterator[SpanSum]:
    """Yield the time of running runs as sums of which everything else is zero."""
    starts = [start for start, _ in slots]
    for run in running:
        amounts = [run.seconds if name == "seconds" else 0 for name in AMOUNTS]
        yield SpanSum(bisect_right(starts, run.minute) - 1, run.series, amounts)


def _fill_slots(result: UsageReport, sums: Iterable[SpanSum], series: Mapping[int, Series]) -> None:
    days = {day: ReportRow(day, Sums(), str(day)) for day in result.period.dates()}
    day_of = [result.period.moment(start).date() for start, _ in result.period.slots()]
    totals: dict[int, list[int]] = {}
    for span, pk, amounts in sums:
        one = series[pk]
        days[day_of[span]].sums.add(amounts, one.costing)
        result.by_slot_and_model.setdefault((span, one.model), Sums()).add(amounts, one.costing)
        total = totals.setdefault(pk, [0] * len(AMOUNTS))
        totals[pk] = [left + (right or 0) for left, right in zip(total, amounts, strict=True)]
    result.by_day = list(days.values())
    _fill_tables(result, [(series[pk], amounts) for pk, amounts in totals.items()])


SeriesTotals = list[tuple[Series, Amounts]]


def _fill_tables(result: UsageReport, totals: SeriesTotals) -> None:
    for series, amounts in totals:
        result.totals.add(amounts, series.costing)
    result.by_workspace = _grouped(totals, lambda one: one.workspace_id, lambda one: one.workspace.name)
    result.by_backend = _grouped(totals, lambda one: one.backend, _cli_label)
    result.by_model = _grouped(
        totals,
        lambda one: (one.backend, one.model),
        lambda one: one.model or f"{_cli_label(one)}, unknown model",
    )


def _cli_label(series: Series) -> str:
    return clis.label_of(series.backend)


def _grouped(
    totals: SeriesTotals, key_of: Callable[[Series], Any], label_of: Callable[[Series], str]
) -> list[ReportRow]:
    """Return the sums grouped by a key, most tokens first."""
    lines: dict[Any, ReportRow] = {}
    for series, amounts in totals:
        key = key_of(series)
        if key not in lines:
            lines[key] = ReportRow(key, Sums(), label_of(series), series.backend)
        lines[key].sums.add(amounts, series.costing)
    return sorted(lines.values(), key=lambda line: (-line.sums.tokens, line.label))


def _rows_with_task(series: Mapping[int, Series]) -> QuerySet[UsageByModel]:
    """Return the rows of these series whose task exists."""
    rows = UsageByModel.objects.exclude(task=None).order_by()
    return rows.filter(series__in=list(series)) if Series.objects.count() > len(series) else rows


def _top_tasks(rows: QuerySet[UsageByModel], series: Mapping[int, Series]) -> list[ReportRow]:
    """Return the tasks with the most tokens."""
    largest = rows.values("task").annotate(size=Sum(SIZE)).order_by("-size")
    return _task_lines(rows, [row["task"] for row in largest[:TASKS_SHOWN]], series)


def task_sums(series: Mapping[int, Series], period: Period) -> Iterable[tuple[Any, ...]]:
    """Return (task, title, series, *AMOUNTS) of all tasks with usage in the period."""
    rows = _rows_with_task(series).filter(minute__gte=period.start, minute__lt=period.end)
    sums = {f"sum_{name}": Sum(name) for name in AMOUNTS}
    parts = rows.values("task", "task__title", "series").annotate(**sums)
    return parts.values_list("task", "task__title", "series", *sums).iterator()


def _task_lines(
    rows: QuerySet[UsageByModel], tasks: list[int], series: Mapping[int, Series]
) -> list[ReportRow]:
    """Return the usage of these tasks, in the given order."""
    titles = dict(Task.objects.filter(pk__in=tasks).values_list("pk", "title"))
    lines = {task: ReportRow(task, Sums(), titles.get(task, "")) for task in tasks}
    sums = {f"sum_{name}": Sum(name) for name in AMOUNTS}
    parts = rows.filter(task__in=tasks).values("task", "series").annotate(**sums)
    for task, pk, *amounts in parts.values_list("task", "series", *sums):
        lines[task].sums.add(amounts, series[pk].costing)
    return list(lines.values())


def _merged_tasks(workspaces: list[Workspace], period: Period) -> QuerySet[Verdict, Any]:
    """Return the ids of tasks that were merged in the period and whose merge was not undone."""
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
