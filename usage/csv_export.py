"""Usage as CSV rows."""

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
"Prefixes that spreadsheets interpret as a formula."


def by_day(workspaces: list[Workspace], period: Period) -> Iterator[Row]:
    """Yield a row per day, workspace, CLI and model, after the header."""
    yield ["day", "workspace", "cli", "model", *SUMS]
    series = queries.series_of(workspaces)
    days = period.dates()
    lines: dict[tuple[str, ...], Sums] = {}
    for span, pk, amounts in groups(series, period.spans()):
        one = series[pk]
        key = (str(days[span]), one.workspace.name, str(one.workspace_id), one.backend, one.model)
        lines.setdefault(key, Sums()).add(amounts, one.costing)
    for (day, name, _, backend, model), sums in sorted(lines.items()):
        yield [day, plain(name), backend, plain(model), *_sums(sums)]


def by_task(workspaces: list[Workspace], period: Period) -> Iterator[Row]:
    """Yield a row per task, CLI and model, by task number, after the header. Deleted tasks are left out."""
    yield ["task", "title", "workspace", "cli", "model", *SUMS]
    series = queries.series_of(workspaces)
    lines: dict[tuple[int, str, str], Sums] = {}
    titles: dict[int, tuple[str, str]] = {}
    for task, title, pk, *amounts in queries.task_sums(series, period):
        one = series[pk]
        titles[task] = (title, one.workspace.name)
        lines.setdefault((task, one.backend, one.model), Sums()).add(amounts, one.costing)
    for (task, backend, model), sums in sorted(lines.items()):
        title, name = titles[task]
        yield [task, plain(title), plain(name), backend, plain(model), *_sums(sums)]


def plain(text: str) -> str:
    """Return the text as a cell that spreadsheets don't interpret as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _sums(sums: Sums) -> Row:
    cost = "" if sums.cost is None else f"{sums.cost:.6f}"
    tokens = [getattr(sums, name) for name in TOKENS]
    return [sums.runs, sums.seconds, *tokens, cost, sums.cost_source or "", sums.unpriced_tokens]
