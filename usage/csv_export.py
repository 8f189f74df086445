"""What was used, as lines for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from usage import queries
from usage.aggregation import Sums, groups
from usage.models import TOKENS
from usage.periods import Period
from workspaces.models import Workspace

Row = list[Any]
SUMS = ["runs", "seconds", *TOKENS, "cost_usd", "cost_source", "unpriced_tokens"]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"Beginnings that a spreadsheet takes for a formula."


def by_day(workspaces: list[Workspace], period: Period) -> Iterator[Row]:
    """One line per day, workspace, CLI and model."""
    yield ["day", "workspace", "cli", "model", *SUMS]
    series = queries.series_of(workspaces)
    days = period.dates()
    lines: dict[tuple[str, ...], Sums] = {}
    for place, number, amounts in groups(series, period.spans()):
        kind = series[number]
        key = (str(days[place]), kind.workspace.name, str(kind.workspace_id), kind.backend, kind.model)
        lines.setdefault(key, Sums()).add(amounts, kind.costing)
    for (day, name, _, backend, model), sums in sorted(lines.items()):
        yield [day, plain(name), backend, plain(model), *_sums(sums)]


def by_task(workspaces: list[Workspace], period: Period) -> Iterator[Row]:
    """One line per task, CLI and model, the oldest task first; tasks that were deleted have no line."""
    yield ["task", "title", "workspace", "cli", "model", *SUMS]
    series = queries.series_of(workspaces)
    lines: dict[tuple[int, str, str], Sums] = {}
    titles: dict[int, tuple[str, str]] = {}
    for task, title, number, *amounts in queries.task_sums(series, period):
        kind = series[number]
        titles[task] = (title, kind.workspace.name)
        lines.setdefault((task, kind.backend, kind.model), Sums()).add(amounts, kind.costing)
    for (task, backend, model), sums in sorted(lines.items()):
        title, name = titles[task]
        yield [task, plain(title), plain(name), backend, plain(model), *_sums(sums)]


def plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _sums(sums: Sums) -> Row:
    cost = "" if sums.cost is None else f"{sums.cost:.6f}"
    tokens = [getattr(sums, name) for name in TOKENS]
    return [sums.runs, sums.seconds, *tokens, cost, sums.cost_source or "", sums.unpriced_tokens]
