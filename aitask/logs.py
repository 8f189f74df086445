"""What goes into the log: one line per record, and a limit on records that repeat."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

BURST = 30
"""How many records of one kind are logged at once."""
REFILL_SECONDS = 60.0
"""After a burst, one record of the kind is logged in this time."""
KINDS = 1000
"""How many kinds are told apart. Each is a place in the source, so there are far fewer."""


class OneLine(logging.Formatter):
    """Writes a record with its traceback on one line, so that no text in it can look like another record."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines()
        return " ⏎ ".join(line.rstrip() for line in lines if line.strip())


class Repeats(logging.Filter):
    """Leaves out records that come again and again, and says in the next one how many were left out.

    Two records are of one kind if they are from the same place in the source, whatever values they contain: a
    fault that returns each second would otherwise fill the disk.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int, int], _Kind] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.pathname, record.lineno, record.levelno)
        with self._lock:
            kind = self._kinds.pop(key, None) or _Kind(self._clock())
            self._kinds[key] = kind  # moves it to the end
            if len(self._kinds) > KINDS:
                del self._kinds[next(iter(self._kinds))]
            left_out = kind.admit(self._clock())
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more of this kind were not logged)"
            record.args = None
        return left_out is not None


class _Kind:
    """How many records of a kind may be logged now, and how many were left out."""

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now
        self._left_out = 0

    def admit(self, now: float) -> int | None:
        """Return how many were left out before this record; None if it is left out itself."""
        self._tokens = min(float(BURST), self._tokens + (now - self._at) / REFILL_SECONDS)
        self._at = now
        if self._tokens < 1:
            self._left_out += 1
            return None
        self._tokens -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out
