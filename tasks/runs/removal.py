"""Notes the runs that are removed with their tasks: hosts still know them, but they are not adopted."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_delete

from tasks.models import RemovedRun, Run


def connect() -> None:
    pre_delete.connect(_note, sender=Run, dispatch_uid="removed runs")


def _note(instance: Run, **_kwargs: Any) -> None:
    if instance.mark:
        RemovedRun.objects.get_or_create(mark=instance.mark)
