"""Sums of usage rows, calculated by the database for many time spans in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from aitask.lib.formats import clock
from usage.models import TOKENS, Series, UsageByModel, dollars

AMOUNTS = ("runs", "seconds", *TOKENS, "cost_micro")
Amounts = Sequence[Any]
"Sums of the columns AMOUNTS, as integers. The cost may be None."
MAX_SPANS = 100
MAX_PARAMETERS = 30_000
"Per SQL statement. SQLite allows 500 spans and 32,766 parameters."


@dataclass
class Sums:
    """The total usage of some runs."""

    runs: int = 0
    seconds: int = 0
    "Duration of the runs, in reports also of those that are still going on."
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro: int | None = None
    "Millionths of a dollar; None if no cost is known."
    estimated_micro: int = 0
    "The estimated part of the cost."
    has_estimate: bool = False
    has_report: bool = False
    unpriced_tokens: int = 0
    "Tokens without a known cost."

    def add(self, amounts: Amounts, costing: str) -> None:
        """Add the amounts of some rows with the same kind of cost."""
        runs, seconds, input_, output, cache_read, cache_write, reasoning, cost = amounts
        self.runs += runs
        self.seconds += seconds
        self.input_tokens += input_
        self.output_tokens += output
        self.cache_read_tokens += cache_read
        self.cache_write_tokens += cache_write
        self.reasoning_tokens += reasoning
        if costing == Series.Costing.UNKNOWN:
            self.unpriced_tokens += input_ + output + cache_read + cache_write
            return
        self.cost_micro = (self.cost_micro or 0) + (cost or 0)
        if costing == Series.Costing.ESTIMATED:
            self.estimated_micro += cost or 0
            self.has_estimate = True
        else:
            self.has_report = True

    @property
    def tokens(self) -> int:
        """All tokens. Reasoning tokens are included in the output tokens."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def time(self) -> str:
        return clock(self.seconds)

    @property
    def cost(self) -> Decimal | None:
        return dollars(self.cost_micro)

    @property
    def cost_source(self) -> str | None:
        """`reported`, `estimated` or `mixed`; None without a cost."""
        if self.has_estimate:
            return "mixed" if self.has_report else "estimated"
        return "reported" if self.has_report else None


class SpanSum(NamedTuple):
    """The sums of one series in one time span. `span` is the index of the span, `series` a primary key."""

    span: int
    series: int
    amounts: Amounts


def groups(series: Collection[int], spans: Sequence[tuple[int, int]]) -> Iterator[SpanSum]:
    """Yield the sums of each series in each span of minutes [from, to), without empty ones.

    The database reads each span in the order of an index. Grouping by day in the user's time zone would have
    to sort all rows first, which takes twice as long in SQLite and in PostgreSQL.
    """
    if not series:
        return
    statement = _lateral if connection.vendor == "postgresql" else _union
    step = max(1, min(MAX_SPANS, MAX_PARAMETERS // (len(series) + 3)))
    with connection.cursor() as cursor:
        for first in range(0, len(spans), step):
            part = list(enumerate(spans[first : first + step], first))
            cursor.execute(*statement(list(series), part))
            yield from (SpanSum(span, pk, amounts) for span, pk, *amounts in cursor.fetchall())


TABLE = UsageByModel._meta.db_table
SUMS = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in AMOUNTS)
Part = list[tuple[int, tuple[int, int]]]


def _union(series: list[int], part: Part) -> tuple[str, list[int]]:
    """Return a statement with one SELECT per span, and its parameters."""
    placeholders = ", ".join(["%s"] * len(series))
    select = (
        f"SELECT %s, series_id, {SUMS} FROM {TABLE} "  # noqa: S608 (our own column names)
        f"WHERE series_id IN ({placeholders}) AND minute >= %s AND minute < %s GROUP BY series_id"
    )
    values = [value for place, (low, high) in part for value in (place, *series, low, high)]
    return " UNION ALL ".join([select] * len(part)), values


def _lateral(series: list[int], part: Part) -> tuple[str, list[Any]]:
    """Return a statement with one index scan per span and series. PostgreSQL is slow to plan many SELECTs."""
    places, lows, highs = (
        [place for place, _ in part],
        [low for _, (low, _) in part],
        [high for _, (_, high) in part],
    )
    return (
        "SELECT place, kind, sums.* FROM unnest(%s::int[], %s::int[], %s::int[]) AS span (place, low, high) "  # noqa: S608
        f"CROSS JOIN unnest(%s::bigint[]) AS kind CROSS JOIN LATERAL (SELECT {SUMS} FROM {TABLE} "
        "WHERE series_id = kind AND minute >= low AND minute < high) AS sums WHERE sums.runs IS NOT NULL",
        [places, lows, highs, series],
    )
