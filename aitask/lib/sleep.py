"""Notices that this machine was asleep: the clock on the wall has gone on, this process has not.

A connection to another machine seldom survives that, but nothing says so: what is written to it is lost.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import UTC, datetime

from aitask.lib.hooks import Hook

TICK_SECONDS = 1.0
ASLEEP_SECONDS = 20.0
"""A longer pause between two ticks was a sleep."""

log = logging.getLogger(__name__)
woke: Hook[[datetime, datetime]] = Hook()
"""Called in a thread with the beginning and the end of each sleep."""
_last_tick = time.time()
_pid = 0


def watch() -> None:
    """Start to look for sleeps, once in each process."""
    global _last_tick, _pid
    if _pid != os.getpid():
        _pid, _last_tick = os.getpid(), time.time()
        threading.Thread(target=_tick_forever, name="sleep", daemon=True).start()


def is_unnoticed() -> bool:
    """Return whether this machine has just woken, and `woke` was not called yet."""
    return _pid == os.getpid() and time.time() - _last_tick > ASLEEP_SECONDS


def _tick_forever() -> None:
    while True:
        time.sleep(TICK_SECONDS)
        tick()


def tick() -> None:
    """Call `woke` if this machine has slept since the last tick."""
    global _last_tick
    began, now = _last_tick, time.time()
    if now - began > ASLEEP_SECONDS:
        try:
            woke(datetime.fromtimestamp(began, UTC), datetime.fromtimestamp(now, UTC))
        except Exception:
            log.exception("could not take up everything after a sleep")
    _last_tick = now
