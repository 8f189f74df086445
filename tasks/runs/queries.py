"""Queries about runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import OuterRef, Subquery

from tasks.models import Run, Task


def live_run(task: Task | int) -> Run | None:
    """Return the task's live run, of which there is at most one; None if there is none."""
    return Run.objects.filter(task=task, state__in=Run.LIVE).first()


def with_newest_runs(tasks: Iterable[Task], *, only: Sequence[str] = ()) -> list[Task]:
    """Return the tasks, with the newest run of each, or only some of its columns, as its `last_run`.

    However many runs a task has had, one row is read.
    """
    found = list(tasks)
    newest = Run.objects.filter(task=OuterRef("pk")).order_by("-number").values("pk")[:1]
    pks = Task.objects.filter(pk__in=[task.pk for task in found]).order_by().values_list(Subquery(newest))
    runs = {run.task_id: run for run in Run.objects.filter(pk__in=pks).only(*only).order_by()}
    for task in found:
        task.newest_run = runs.get(task.pk)
        if task.newest_run:
            task.newest_run.task = task
    return found
