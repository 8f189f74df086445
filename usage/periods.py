"""Ranges of days in the reader's time zone, as whole minutes of Unix time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from django.db.models import Case, F, IntegerField, Value, When
from django.db.models.expressions import Combinable, CombinedExpression

MINUTES_A_DAY = 1440
MOST_DAYS = 3660
EPOCH = date(1970, 1, 1)


def zone_called(name: str) -> ZoneInfo:
    """The time zone of this name, UTC when there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo("UTC")


@dataclass(frozen=True)
class Period:
    """Whole days, both ends included."""

    first: date
    last: date
    zone: tzinfo

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def start(self) -> int:
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> int:
        """The first minute that is not in it any more."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def before(self) -> Period:
        """As many days, right before."""
        gone = timedelta(days=self.days)
        return Period(self.first - gone, self.last - gone, self.zone)

    def dates(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]

    def day_number(self) -> Combinable:
        """An expression for the day of a row, counted from 1970, by plain arithmetic on its minute: functions
        for dates are too slow on SQLite. The zone's offset changes a few times a year at most."""
        steps = self._offsets()
        offset: Combinable = Value(steps[0][1])
        if len(steps) > 1:
            later = [When(minute__gte=minute, then=Value(shift)) for minute, shift in reversed(steps[1:])]
            offset = Case(*later, default=Value(steps[0][1]), output_field=IntegerField())
        shifted = CombinedExpression(F("minute"), "+", offset, output_field=IntegerField())
        return CombinedExpression(shifted, "/", Value(MINUTES_A_DAY), output_field=IntegerField())

    def _offsets(self) -> list[tuple[int, int]]:
        """(from which minute, minutes ahead of UTC), found day by day and then to the minute."""
        steps = [(self.start, self._offset(self.start))]
        for day in self.dates():
            after = _midnight(day + timedelta(days=1), self.zone)
            if self._offset(after) != steps[-1][1]:
                steps.append((self._change(_midnight(day, self.zone), after), self._offset(after)))
        return steps

    def _change(self, low: int, high: int) -> int:
        """The first minute between the two at which the later offset holds."""
        new = self._offset(high)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._offset(middle) == new else (middle + 1, high)
        return high

    def _offset(self, minute: int) -> int:
        shift = datetime.fromtimestamp(minute * 60, self.zone).utcoffset() or timedelta()
        return int(shift.total_seconds()) // 60


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time.min, zone).timestamp()) // 60


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=number)
