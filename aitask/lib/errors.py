"""Expected failures, with a message for the user."""

from __future__ import annotations

from django.core.exceptions import ValidationError

MAX_NAMED = 3
"""Fields that the hint about several of them names."""


class Refused(Exception):
    """Something can't be done now: `reason` says why, `hint` what to do about it (may be empty)."""

    status = 409
    """The HTTP status of a response with this error."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}".strip()


class Malformed(Refused):
    """A request that no page of the app sends: its body can't be read."""

    status = 400


class NotAllowed(Refused):
    """Something that this user has no right to do."""

    status = 403


class InvalidInput(Refused):
    """Values that the user can correct, from a ValidationError.

    `fields` has the sentences about each field by its name; the name is empty for those about no field.
    """

    def __init__(self, error: ValidationError) -> None:
        super().__init__(" ".join(error.messages))
        has_fields = hasattr(error, "error_dict")
        self.fields: dict[str, list[str]] = error.message_dict if has_fields else {"": error.messages}


class InvalidFields(Refused):
    """Values that the user can correct, each with a sentence: `fields` has them by the name of the field."""

    status = 422

    def __init__(self, reason: str, fields: dict[str, str]) -> None:
        first = [f"{name}: {text}" if name else text for name, text in fields.items()][:MAX_NAMED]
        super().__init__(reason, " ".join(first))
        self.fields = fields
