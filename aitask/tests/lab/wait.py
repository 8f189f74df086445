"""Waiting for a condition, never for luck."""

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
    """The first true value of `condition`. Raises AssertionError with `message` after `timeout` seconds.

    It is asked again after `every` seconds at first, then ever more rarely: what takes long is asked about
    over and over otherwise, by many tests at once.
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
