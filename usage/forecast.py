"""From the readings of the last hours: when a window of a plan will be full. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LOOK_BACK = timedelta(hours=3)
LEAST = timedelta(minutes=10)
"Less than this says nothing about a pace."
STALE = timedelta(hours=1)
"A reading of this age tells no pace of now."


class Reading(Protocol):
    """How full a window was at a time."""

    used_percent: float | None
    resets_at: datetime | None
    at: datetime


@dataclass(frozen=True)
class Forecast:
    """At the present pace the window is full at `full_at`, not before now; None: not before it is reset."""

    percent_per_hour: float
    full_at: datetime | None


def forecast(readings: Sequence[Reading], now: datetime) -> Forecast | None:
    """From readings of one window, oldest first; None when they say nothing about the pace of now."""
    known = _of_present_window(readings, now)
    if len(known) < 2 or now - known[-1].at > STALE or (known[-1].used_percent or 0) >= 100:
        return None
    first, last = known[0], known[-1]
    span = last.at - first.at
    gained = (last.used_percent or 0) - (first.used_percent or 0)
    if span < LEAST or gained <= 0:
        return None
    pace = gained / (span / timedelta(hours=1))
    full_at = max(now, last.at + timedelta(hours=(100 - (last.used_percent or 0)) / pace))
    in_time = last.resets_at is None or full_at < last.resets_at
    return Forecast(pace, full_at if in_time else None)


def _of_present_window(readings: Sequence[Reading], now: datetime) -> list[Reading]:
    """Since the window began: a reading that falls, or another reset, is a new window. Resets may wobble."""
    known = [each for each in readings if each.used_percent is not None and each.at >= now - LOOK_BACK]
    if not known or (known[-1].resets_at and known[-1].resets_at <= now):
        return []
    start = 0
    for place in range(1, len(known)):
        if (known[place].used_percent or 0) < (known[place - 1].used_percent or 0) or _other_reset(
            known[place - 1], known[place]
        ):
            start = place
    return list(known[start:])


def _other_reset(one: Reading, other: Reading) -> bool:
    if one.resets_at is None or other.resets_at is None:
        return False
    return abs(other.resets_at - one.resets_at) > timedelta(minutes=10)
