"""Expected failure, in words for the person who has to deal with it."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class Refused(Exception):
    """Something can't be done now: `reason` says why, `hint` what would help (may be empty)."""

    status = 409
    """The HTTP status of an answer with this error."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    @classmethod
    def from_validation(cls, error: ValidationError) -> Refused:
        """All that is wrong, in one text."""
        return cls(" ".join(error.messages))

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}".strip()
