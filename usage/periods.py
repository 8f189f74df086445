"""Periods of whole days in the user's time zone, as minutes of Unix time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.utils import timezone

from aitask.lib.errors import Refused

DAYS_SHOWN = 30
EARLIEST, LATEST = date(1990, 1, 1), date(2900, 12, 31)
MAX_DAYS = 3660
MAX_DAYS_BY_HOUR = 7
"Up to this length a period is plotted by hour."


def zone_called(name: str) -> ZoneInfo:
    """Return the time zone with this name, or UTC if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    return zone_called(name).key == name


@dataclass(frozen=True)
class Period:
    """A range of whole days; `last` is included."""

    first: date
    last: date
    zone: tzinfo

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def start(self) -> int:
        """The first minute."""
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> int:
        """The first minute after the period."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def before(self) -> Period:
        """The previous period of the same length."""
        length = timedelta(days=self.days)
        return Period(self.first - length, self.last - length, self.zone)

    def dates(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]

    @property
    def is_by_hour(self) -> bool:
        return self.days <= MAX_DAYS_BY_HOUR

    def slots(self) -> list[tuple[int, int]]:
        """Return the minutes [from, to) of each hour of a short period, else of each day."""
        if not self.is_by_hour:
            return self.spans()
        return [(minute, minute + 60) for minute in range(self.start, self.end, 60)]

    def moment(self, minute: int) -> datetime:
        """Return a minute as local time."""
        return datetime.fromtimestamp(60 * minute, self.zone)

    def spans(self) -> list[tuple[int, int]]:
        """Return the minutes [from, to) of each day in the time zone. A day may have 23 or 25 hours."""
        starts = [_midnight(day, self.zone) for day in (*self.dates(), self.last + timedelta(days=1))]
        return list(pairwise(starts))


def period_of(first: date | None, last: date | None, zone_name: str) -> Period:
    """Return the period from `first` to `last`, by default the last 30 days. Raises Refused if invalid."""
    zone = zone_called(zone_name)
    for day in filter(None, (first, last)):
        if not EARLIEST <= day <= LATEST:
            raise Refused(f"{day} is out of range.", f"Use dates from {EARLIEST} to {LATEST}.")
    last = last or max(timezone.now().astimezone(zone).date(), first or date.min)
    first = first or last - timedelta(days=DAYS_SHOWN - 1)
    if first > last:
        raise Refused("The period ends before it starts.", "`from` is the first day, `to` the last one.")
    if (last - first).days >= MAX_DAYS:
        raise Refused("The period is too long.", "The maximum is ten years.")
    return Period(first, last, zone)


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time.min, zone).timestamp()) // 60
