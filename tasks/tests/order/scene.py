"""Tasks that come after others, with their predecessors in any state."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks.models import Dependency, Run, Task, Verdict
from tasks.tests.factories import make_run, make_task

Run_, Status = Run.State, Task.Status


def after(task: Task, *predecessors: Task, until: str = "merged") -> Task:
    """Let the task come after these, as rows."""
    rows = (
        Dependency(task=task, predecessor=each, number=each.pk, title=each.title) for each in predecessors
    )
    Dependency.objects.bulk_create(rows)
    if until != task.after_until:
        task.after_until = until
        task.save(update_fields=["after_until"])
    return task


def judged(task: Task, kind: str, status: str = Status.REVIEW) -> Task:
    Verdict.objects.update_or_create(task=task, defaults={"kind": kind, "at": timezone.now()})
    Task.objects.filter(pk=task.pk).update(status=status)
    task.refresh_from_db()
    return task


def merged(**fields: Any) -> Task:
    return judged(finished(**fields), Verdict.Kind.MERGED, Status.DONE)


def finished(**fields: Any) -> Task:
    task = make_task(**{"status": Status.REVIEW, "branch": "aitask/x", **fields})
    make_run(task=task, state=Run_.SUCCEEDED, started_at=timezone.now())
    return task


def ended(state: str, **fields: Any) -> Task:
    task = make_task(**{"status": Status.REVIEW, "branch": "aitask/x", **fields})
    make_run(task=task, state=state, started_at=timezone.now())
    return task


def queued(task: Task, **fields: Any) -> Run:
    Task.objects.filter(pk=task.pk).update(status=Status.QUEUED)
    return make_run(task=task, **fields)
