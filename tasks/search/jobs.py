"""Indexes what was there before the index, newest first. It can be stopped, and goes on from there."""

from __future__ import annotations

import time

from django.db import transaction

from aitask.lib import leases
from tasks.models import Event, SearchBackfill, Task
from tasks.search import services

BATCH = 200
SECONDS = 20.0
"A job works for so long; then others have their turn."
PAUSE = 0.02
"Seconds between two batches, in which others write."


def repair() -> None:
    """Enqueue the job if something is left to do. Called in each round of the follower."""
    for row in SearchBackfill.objects.filter(leases.unleased()):
        leases.enqueue_once(SearchBackfill.objects.filter(pk=row.pk), backfill, row.pk)


def backfill(pk: int, *, seconds: float = SECONDS) -> None:
    """Index tasks, then events. The row is removed when nothing is left."""
    rows = SearchBackfill.objects.filter(pk=pk)
    with leases.held(rows) as taken:
        if not taken:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            row = rows.first()
            if row is None:
                return
            if row.is_done:
                rows.delete()
                return
            _index_tasks(row) if row.before_task > 1 else _index_events(row)
            time.sleep(PAUSE)


def _index_tasks(row: SearchBackfill) -> None:
    with transaction.atomic():
        tasks = list(Task.objects.filter(pk__lt=row.before_task).order_by("-pk")[:BATCH])
        services.add(entry for task in tasks for entry in services.own_entries(task))
        last = tasks[-1].pk if len(tasks) == BATCH else 0
        SearchBackfill.objects.filter(pk=row.pk).update(before_task=last)


def _index_events(row: SearchBackfill) -> None:
    with transaction.atomic():
        found = Event.objects.filter(pk__lt=row.before_event).order_by("-pk")[:BATCH]
        events = list(found.select_related("run__task").defer("run__prompt", "run__task__prompt"))
        services.add(entry for event in events for entry in services.entries_of(event.run.task, event))
        last = events[-1].pk if len(events) == BATCH else 0
        SearchBackfill.objects.filter(pk=row.pk).update(before_event=last)
