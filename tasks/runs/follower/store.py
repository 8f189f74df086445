"""Save events with the offset that they were read up to, in one transaction: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.text import storable
from tasks.models import Event, Run, Task
from tasks.runs import hooks, reducer
from workspaces.hostkit import wire
from workspaces.hosts import untrusted

NOT_DATA = frozenset(("v", "seq", "at", "kind"))


def save_events(run_id: int, lines: Sequence[object], *, start: int, end: int) -> bool:
    """Save the lines found between two byte offsets; False when the row stands elsewhere than at `start`."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, event_offset=start).first()
        if run is None:
            return False
        lines = storable(list(lines))
        fresh = [event for event in untrusted.events(lines) if event["seq"] > run.last_seq]
        Event.objects.bulk_create([row_of(run_id, event) for event in fresh])
        for event in fresh:
            reducer.apply(run, event)
        run.event_offset = end
        run.last_heard_at = timezone.now()
        if fresh:
            run.last_event_at = run.last_heard_at
        run.save(update_fields=[*reducer.FIELDS, "event_offset", "last_event_at"])
        hooks.events_saved(run, fresh)
        _tell(run, fresh)
        doorbell.ring(f"task:{run.task_id}", "board")
    return True


def _tell(run: Run, fresh: list[wire.RunEvent]) -> None:
    """Others keep sums of what is used, and how full the plans are."""
    if any(event["kind"] in ("usage", "started") for event in fresh):
        hooks.usage_changed(run)
    for event in fresh:
        if event["kind"] == "settings":
            _keep_choice(run, event)
        if event["kind"] == "limit":
            hooks.limit_reported(run, event, reducer.parse_time(event.get("at")) or timezone.now())


def _keep_choice(run: Run, event: wire.SettingsEvent) -> None:
    """The model that a person gave to a live run is the task's from now on: a follow-up goes on with it."""
    given = {"model": event.get("model"), "reasoning_effort": event.get("reasoning_effort")}
    longest = {"model": 100, "reasoning_effort": 20}
    chosen = {name: value[: longest[name]] for name, value in given.items() if value}
    if chosen:
        Task.objects.filter(pk=run.task_id, backend=run.backend).update(**chosen)


def row_of(run_id: int, event: wire.RunEvent) -> Event:
    data = {name: value for name, value in event.items() if name not in NOT_DATA}
    at = reducer.parse_time(event.get("at")) or timezone.now()
    return Event(run_id=run_id, seq=event["seq"], at=at, kind=event["kind"][:20], data=data)
