"""State changes that only one of several processes can make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models


class CompareAndSet(models.Model):
    """A row whose `state` changes only if it is an expected one."""

    class Meta:
        abstract = True

    def change(self, expected: Iterable[str], **values: Any) -> bool:
        """Save `values` if the state is still one of `expected`; else return False and save nothing."""
        condition = {"pk": self.pk, "state__in": list(expected)}
        rows = type(self)._default_manager.filter(**condition)
        changed = bool(rows.update(**values))
        if changed:
            for name, value in values.items():
                setattr(self, name, value)
        return changed
