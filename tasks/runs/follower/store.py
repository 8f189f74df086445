"""Save events with the offset that they were read up to, in one transaction: nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.text import storable
from tasks.models import Event, Run, Task
from tasks.runs import hooks, reducer

NOT_DATA = frozenset(("v", "seq", "at", "kind"))


def save_events(run_id: int, lines: list[dict[str, Any]], *, start: int, end: int) -> bool:
    """Save the events found between two byte offsets; False when the row stands elsewhere than at `start`."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, event_offset=start).first()
        if run is None:
            return False
        fresh = [storable(line) for line in lines if line["seq"] > run.last_seq]
        Event.objects.bulk_create([event_of(run_id, line) for line in fresh])
        for line in fresh:
            reducer.apply(run, line)
        run.event_offset = end
        run.last_heard_at = timezone.now()
        if fresh:
            run.last_event_at = run.last_heard_at
        run.save(update_fields=[*reducer.FIELDS, "event_offset", "last_event_at"])
        hooks.events_saved(run, fresh)
        _tell(run, fresh)
        doorbell.ring(f"task:{run.task_id}", "board")
    return True


def _tell(run: Run, fresh: list[dict[str, Any]]) -> None:
    """Others keep sums of what is used, and how full the plans are."""
    if any(line["kind"] in ("usage", "started") for line in fresh):
        hooks.usage_changed(run)
    for line in fresh:
        if line["kind"] == "settings":
            _keep_choice(run, line)
        if line["kind"] == "limit":
            hooks.limit_reported(run, line, reducer.parse_time(line.get("at")) or timezone.now())


def _keep_choice(run: Run, line: dict[str, Any]) -> None:
    """The model that a person gave to a live run is the task's from now on: a follow-up goes on with it."""
    longest = {"model": 100, "reasoning_effort": 20}
    chosen = {name: str(line[name])[:most] for name, most in longest.items() if line.get(name)}
    if chosen:
        Task.objects.filter(pk=run.task_id, backend=run.backend).update(**chosen)


def event_of(run_id: int, line: dict[str, Any]) -> Event:
    """The row of one line of `events.jsonl`."""
    data = {name: value for name, value in line.items() if name not in NOT_DATA}
    at = reducer.parse_time(line.get("at")) or timezone.now()
    return Event(run_id=run_id, seq=line["seq"], at=at, kind=str(line["kind"])[:20], data=data)
