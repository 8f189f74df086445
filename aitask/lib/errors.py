"""Expected failures, with a message for the user."""

from __future__ import annotations

from django.core.exceptions import ValidationError


class Refused(Exception):
    """Something can't be done now: `reason` says why, `hint` what to do about it (may be empty)."""

    status = 409
    """The HTTP status of a response with this error."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    @classmethod
    def from_validation(cls, error: ValidationError) -> Refused:
        """Return a refusal with all messages of a validation error."""
        return cls(" ".join(error.messages))

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}".strip()
