"""Random marks of rows by which hosts know them.

A database that is restored from a backup gives the same primary keys again, but never the same marks. So
whatever a host keeps for a row is named by its mark.
"""

from __future__ import annotations

import secrets
import string

from django.db import models

LENGTH = 10


def new_mark() -> str:
    """Return ten random letters (47 bits), without digits so that a mark is never taken for a number."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(LENGTH))


class Marked(models.Model):
    """A row that hosts know by a mark. Rows of before the marks have none, and keep their old names."""

    mark = models.CharField(
        max_length=LENGTH, blank=True, default=new_mark, editable=False, help_text="Its name on hosts"
    )

    class Meta:
        abstract = True

    @property
    def key(self) -> str:
        """The name of the row on hosts."""
        return self.mark or str(self.pk)


def once(name: str) -> models.UniqueConstraint:
    """Return the constraint that no two rows have the same mark."""
    return models.UniqueConstraint(fields=["mark"], condition=~models.Q(mark=""), name=name)


class RemovedRun(models.Model):
    """A run that was removed with its task. It is not adopted again, while its host still has its files."""

    mark = models.CharField(max_length=LENGTH, unique=True)

    def __str__(self) -> str:
        return self.mark
