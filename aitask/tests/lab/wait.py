"""Wait for a condition."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T | Literal[False] | None],
    timeout: float = 10.0,
    message: str | Callable[[], str] = "",
    every: float = 0.02,
    at_most_every: float = 0.5,
) -> T:
    """Return the first true value of `condition`. Raises AssertionError after `timeout` seconds.

    It is called every `every` seconds at first, then less often, because many tests may wait at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            said = message() if callable(message) else message
            raise AssertionError(f"{said or 'the condition'} did not come true in {timeout} s")
        time.sleep(every)
        every = min(every * 1.2, at_most_every)
