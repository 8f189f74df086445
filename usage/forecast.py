"""Forecasts when a plan limit will be reached, from the readings of the last hours. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LOOK_BACK = timedelta(hours=3)
MIN_SPAN = timedelta(minutes=10)
"Minimum time between the first and the last reading."
MAX_AGE = timedelta(hours=1)
"Maximum age of the last reading."


class Reading(Protocol):
    """How much of a window was used at a time."""

    used_percent: float | None
    resets_at: datetime | None
    at: datetime


@dataclass(frozen=True)
class Forecast:
    """The current rate, and when it fills the window; None if the window resets before that."""

    percent_per_hour: float
    full_at: datetime | None


def forecast(readings: Sequence[Reading], now: datetime) -> Forecast | None:
    """Return the forecast from readings of one window, oldest first; None if they don't show a rate."""
    known = _since_reset(readings, now)
    if len(known) < 2 or now - known[-1].at > MAX_AGE or (known[-1].used_percent or 0) >= 100:
        return None
    first, last = known[0], known[-1]
    span = last.at - first.at
    gained = (last.used_percent or 0) - (first.used_percent or 0)
    if span < MIN_SPAN or gained <= 0:
        return None
    rate = gained / (span / timedelta(hours=1))
    full_at = max(now, last.at + timedelta(hours=(100 - (last.used_percent or 0)) / rate))
    before_reset = last.resets_at is None or full_at < last.resets_at
    return Forecast(rate, full_at if before_reset else None)


def _since_reset(readings: Sequence[Reading], now: datetime) -> list[Reading]:
    """Return the readings since the last reset: the percentage fell, or `resets_at` changed noticeably."""
    known = [each for each in readings if each.used_percent is not None and each.at >= now - LOOK_BACK]
    if not known or (known[-1].resets_at and known[-1].resets_at <= now):
        return []
    start = 0
    for index in range(1, len(known)):
        if (known[index].used_percent or 0) < (known[index - 1].used_percent or 0) or _other_reset(
            known[index - 1], known[index]
        ):
            start = index
    return list(known[start:])


def _other_reset(one: Reading, other: Reading) -> bool:
    if one.resets_at is None or other.resets_at is None:
        return False
    return abs(other.resets_at - one.resets_at) > timedelta(minutes=10)
