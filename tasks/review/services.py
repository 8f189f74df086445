"""Marking files as viewed."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tasks.models import Task, ViewedFile

MOST_MARKS = 10
"Versions of one file that a user's marks are kept of."


def mark_viewed(task: Task, key: str, version: str, *, is_viewed: bool, user: AbstractBaseUser) -> None:
    """Set or clear the user's mark of one version of a file. The marks of other versions stay.

    A file that comes back to a version that was viewed, or is shown by another comparison, needs no second
    look.
    """
    marks = ViewedFile.objects.filter(task=task, user_id=user.pk, path_key=key)
    with transaction.atomic():
        marks.filter(version=version).delete()
        if is_viewed:
            ViewedFile.objects.create(task=task, user_id=user.pk, path_key=key, version=version)
            kept = list(marks.order_by("-pk").values_list("pk", flat=True)[:MOST_MARKS])
            marks.exclude(pk__in=kept).delete()
