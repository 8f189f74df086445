"""Expected failure, in words for the person who has to deal with it."""

from __future__ import annotations


class Refused(Exception):
    """Something can't be done now: `reason` says why, `hint` what would help (may be empty)."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}".strip()
