"""Jobs for the tests of the worker."""

from __future__ import annotations

import os
import time


def note(path: str, text: str) -> None:
    """Append a line with the process that did it."""
    with open(path, "a") as out:
        out.write(f"{text} {os.getpid()}\n")


def note_slowly(path: str, text: str, seconds: float) -> None:
    """Append `text begun`, and `text ended` after a while."""
    note(path, f"{text} begun")
    time.sleep(seconds)
    note(path, f"{text} ended")
