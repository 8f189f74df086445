"""Text from outside: what every database can hold, and whole numbers. Imports nothing of ours."""

from __future__ import annotations

from typing import Any

MAX_DIGITS = 18
"""What every database holds."""


def storable(value: Any) -> Any:
    """PostgreSQL takes neither NUL nor half characters, and both a user and an agent may write them.

    NUL becomes its visible sign, half a character a question mark, at any depth of lists and dictionaries.
    """
    if isinstance(value, str):
        return value.replace("\0", "\u2400").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


def whole_number(text: str | None) -> int | None:
    """The number that the text is; None for anything else, also for one that no row could have."""
    return int(text) if text and text.isdecimal() and len(text) <= MAX_DIGITS else None
