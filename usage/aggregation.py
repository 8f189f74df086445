"""Adds up rows: what some runs used together, as the database tells it for many spans of time at once."""

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
"The sums of the columns AMOUNTS, whole numbers; the cost may be None."
MAX_SPANS = 100
MAX_PARAMETERS = 30_000
"In one statement; SQLite takes 500 spans and 32,766 parameters."


@dataclass
class Sums:
    """What some runs used together."""

    runs: int = 0
    seconds: int = 0
    "How long the ended runs took."
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

    def add(self, amounts: Amounts, costing: str) -> None:
        runs, seconds, fresh, out, read, written, reasoned, cost = amounts
        self.runs += runs
        self.seconds += seconds
        self.input_tokens += fresh
        self.output_tokens += out
        self.cache_read_tokens += read
        self.cache_write_tokens += written
        self.reasoning_tokens += reasoned
        if costing == Series.Costing.UNKNOWN:
            self.unpriced_tokens += fresh + out + read + written
            return
        self.cost_micro = (self.cost_micro or 0) + (cost or 0)
        if costing == Series.Costing.ESTIMATED:
            self.estimated_micro += cost or 0
            self.has_estimate = True
        else:
            self.has_report = True

    @property
    def tokens(self) -> int:
        """All that went through: reasoning is a part of the output."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def time(self) -> str:
        return clock(self.seconds)

    @property
    def cost(self) -> Decimal | None:
        return dollars(self.cost_micro)

    @property
    def cost_source(self) -> str | None:
        """reported, estimated, or mixed; None without a cost."""
        if self.has_estimate:
            return "mixed" if self.has_report else "estimated"
        return "reported" if self.has_report else None


class SpanSum(NamedTuple):
    """The rows of one series in one span of time."""

    span: int
    series: int
    amounts: Amounts


def groups(series: Collection[int], spans: Sequence[tuple[int, int]]) -> Iterator[SpanSum]:
    """The sums per series in each span of minutes [from, to), by its place; empty ones are left out.

    The database reads each span in the order of its index. Grouping by the day of the reader's zone instead
    must sort all rows first, which takes twice as long in SQLite and in PostgreSQL.
    """
    if not series:
        return
    statement = _lateral if connection.vendor == "postgresql" else _union
    step = max(1, min(MAX_SPANS, MAX_PARAMETERS // (len(series) + 3)))
    with connection.cursor() as cursor:
        for first in range(0, len(spans), step):
            part = list(enumerate(spans[first : first + step], first))
            cursor.execute(*statement(list(series), part))
            yield from (SpanSum(place, kind, amounts) for place, kind, *amounts in cursor.fetchall())


TABLE = UsageByModel._meta.db_table
SUMS = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in AMOUNTS)
Part = list[tuple[int, tuple[int, int]]]


def _union(series: list[int], part: Part) -> tuple[str, list[int]]:
    """One SELECT per span, joined."""
    wanted = ", ".join(["%s"] * len(series))
    select = (
        f"SELECT %s, series_id, {SUMS} FROM {TABLE} "  # noqa: S608 (names of ours)
        f"WHERE series_id IN ({wanted}) AND minute >= %s AND minute < %s GROUP BY series_id"
    )
    values = [value for place, (low, high) in part for value in (place, *series, low, high)]
    return " UNION ALL ".join([select] * len(part)), values


def _lateral(series: list[int], part: Part) -> tuple[str, list[Any]]:
    """One look into the index per span and series; PostgreSQL plans so many SELECTs too slowly."""
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
