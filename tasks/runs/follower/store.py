"""Saves events and the offset they were read up to in one transaction, so that none is lost or repeated."""

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
    """Save the events between two byte offsets; return False if the row's offset is not `start`."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, event_offset=start).first()
        if run is None:
            return False
        lines = storable(list(lines))
        new = [event for event in untrusted.events(lines) if event["seq"] > run.last_seq]
        Event.objects.bulk_create([row_of(run_id, event) for event in new])
        for event in new:
            reducer.apply(run, event)
        run.event_offset = end
        run.last_heard_at = timezone.now()
        if new:
            run.last_event_at = run.last_heard_at
        run.save(update_fields=[*reducer.FIELDS, "event_offset", "last_event_at"])
        hooks.events_saved(run, new)
        _call_hooks(run, new)
        doorbell.ring(f"task:{run.task_id}", "board")
    return True


def _call_hooks(run: Run, new: list[wire.RunEvent]) -> None:
    """Report changes of usage, settings and limits."""
    if any(event["kind"] in ("usage", "started") for event in new):
        hooks.usage_changed(run)
    for event in new:
        if event["kind"] == "settings":
            _save_choice(run, event)
        if event["kind"] == "limit":
            hooks.limit_reported(run, event, reducer.parse_time(event.get("at")) or timezone.now())


def _save_choice(run: Run, event: wire.SettingsEvent) -> None:
    """Save a model or effort that was set on a live run in its task, so that follow-ups use it."""
    given = {"model": event.get("model"), "reasoning_effort": event.get("reasoning_effort")}
    longest = {"model": 100, "reasoning_effort": 20}
    chosen = {name: value[: longest[name]] for name, value in given.items() if value}
    if chosen:
        Task.objects.filter(pk=run.task_id, backend=run.backend).update(**chosen)


def row_of(run_id: int, event: wire.RunEvent) -> Event:
    """Return the row for one event."""
    data = {name: value for name, value in event.items() if name not in NOT_DATA}
    at = reducer.parse_time(event.get("at")) or timezone.now()
    return Event(run_id=run_id, seq=event["seq"], at=at, kind=event["kind"][:20], data=data)
