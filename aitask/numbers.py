"""Whole numbers as they come in addresses and forms. A leaf: imports nothing of ours."""

from __future__ import annotations

MOST_DIGITS = 18
"What every database holds."


def whole(text: str | None) -> int | None:
    """The number that the text is; None for anything else, also for one that no row could have."""
    return int(text) if text and text.isdecimal() and len(text) <= MOST_DIGITS else None
