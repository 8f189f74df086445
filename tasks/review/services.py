"""Marking files as viewed."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tasks.models import Task, ViewedFile


def mark_viewed(task: Task, key: str, version: str | None, *, user: AbstractBaseUser) -> None:
    """Mark one version of a file as viewed by the user; None clears the mark."""
    with transaction.atomic():
        ViewedFile.objects.filter(task=task, user_id=user.pk, path_key=key).delete()
        if version is not None:
            ViewedFile.objects.create(task=task, user_id=user.pk, path_key=key, version=version)
