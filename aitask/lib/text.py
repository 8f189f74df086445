"""Validation of text from outside: characters that every database can store, and whole numbers."""

from __future__ import annotations

import math
from typing import Any

MAX_DIGITS = 18
"""Digits of the largest number that every database can store."""


def storable(value: Any) -> Any:
    """Replace what PostgreSQL can't store, at any depth of lists and dictionaries.

    NUL becomes its visible symbol, a lone surrogate a question mark, and NaN or infinity its name.
    """
    if isinstance(value, str):
        return value.replace("\0", "\u2400").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def whole_number(text: str | None) -> int | None:
    """Parse a whole number; None if the text is something else or too long for a row."""
    return int(text) if text and text.isdecimal() and len(text) <= MAX_DIGITS else None
