"""State changes that two processes can't both make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models


class CompareAndSet(models.Model):
    """A row with a `state` that changes only from an expected one."""

    class Meta:
        abstract = True

    def change(self, expected: Iterable[str], **values: Any) -> bool:
        """Write `values` if the state is still one of `expected`; else False, and nothing is written."""
        as_expected = {"pk": self.pk, "state__in": list(expected)}
        rows = type(self)._default_manager.filter(**as_expected)
        changed = bool(rows.update(**values))
        if changed:
            for name, value in values.items():
                setattr(self, name, value)
        return changed
