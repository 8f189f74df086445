"""Tells `manage.py up` that this process is not stuck. Without `up` nobody listens, and nothing happens.

A thread of `aitask.supervisor.lifeline` beats: it can't while the process is stopped or something keeps the
interpreter's lock. A main loop that calls `expect` makes it stop when the loop stands still, too.
"""

from __future__ import annotations

import math
import time

_until = math.inf


def expect(seconds: float) -> None:
    """Beat on for so many seconds, and no longer unless this is called again."""
    global _until
    _until = time.monotonic() + seconds


def is_due() -> bool:
    """Return whether the heart may beat now."""
    return time.monotonic() < _until
