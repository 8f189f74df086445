"""Notices that the queue stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

STANDSTILL_SECONDS = 20.0
"""How long jobs may wait while workers are free."""
LOOK_SECONDS = 5.0
"""How often the queue is asked whether jobs wait."""


class Standstill:
    """Notices that jobs wait although workers are free, because something holds a lock of the queue."""

    def __init__(self) -> None:
        self._started = 0.0
        self._since: float | None = None
        self._next_look = 0.0

    def note_start(self, **_: Any) -> None:
        """Note that a job is started."""
        self._started = time.monotonic()

    def has_come(self, now: float, *, busy: bool, jobs_wait: Callable[[], bool]) -> bool:
        """Return whether jobs have waited too long. `busy` is whether any worker has a job."""
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        if busy or not jobs_wait():
            self._since = None
            return False
        self._since = now if self._since is None else max(self._since, self._started)
        return now - self._since > STANDSTILL_SECONDS
