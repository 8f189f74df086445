"""A field of a few words, such as labels, that both databases can search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    TextOfWords = models.TextField[Any, list[str]]
else:
    TextOfWords = models.TextField


class WordsField(TextOfWords):
    """A list of words without spaces, stored as one text with a space around each."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: list[str]  # type: ignore[assignment]

    def from_db_value(self, value: str | None, *_: object) -> list[str]:
        return (value or "").split()

    def to_python(self, value: Any) -> list[str]:
        return value.split() if isinstance(value, str) else list(value or [])

    def get_prep_value(self, value: Any) -> str:
        """Return what is stored. A text is what a lookup searches for."""
        if isinstance(value, str):
            return value
        return f" {' '.join(value)} " if value else ""

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))
