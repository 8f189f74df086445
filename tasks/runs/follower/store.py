"""Saves events and the offset they were read up to in one transaction, so that none is lost or repeated.

Each line of events.jsonl becomes one row, with the number of the line: what can't be read or saved becomes
one of kind `raw`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from aitask.lib import columns, doorbell
from tasks.models import Event, Run, Task
from tasks.runs import hooks, jobs, reducer
from workspaces.hostkit import wire
from workspaces.hosts import untrusted

log = logging.getLogger(__name__)

OFFSETS = ("event_offset", "last_heard_at", "last_event_at")
NOT_DATA = frozenset(("v", "seq", "at", "kind"))
SaveLines = Callable[[Run, Sequence[object]], None]


@dataclass(frozen=True)
class Chunk:
    """Lines of a run's events.jsonl, and the byte offsets between which they stand."""

    run_id: int
    lines: Sequence[object]
    start: int
    end: int


def save_together(chunks: Iterable[Chunk]) -> set[int]:
    """Save at most one chunk of each run in one transaction; return the runs whose offset is another one.

    A transaction for each event would limit a host to a few hundred a second. Raises whatever one of the
    chunks raises; then none is saved.
    """
    with transaction.atomic():
        # In this order, because other transactions that lock several runs do so, too.
        ordered = sorted(chunks, key=lambda chunk: chunk.run_id)
        return {chunk.run_id for chunk in ordered if not _save(chunk, _save_lines)}


def save_events(run_id: int, lines: Sequence[object], *, start: int, end: int) -> bool:
    """Save the events between two byte offsets; return False if the row's offset is not `start`.

    Raises DatabaseError if the database fails. A line whose values can't be saved harms only itself.
    """
    chunk = Chunk(run_id, lines, start, end)
    try:
        return _save(chunk, _save_lines)
    except Exception as error:
        if columns.is_outage(error):
            raise
        log.warning("events of run %d can't be saved together: %s: %s", run_id, type(error).__name__, error)
        return _save(chunk, _save_one_by_one)


def skip_events(run_id: int, count: int, *, start: int, end: int, why: str) -> None:
    """Move the offset of a run past lines of which not even the text can be saved."""
    _save(Chunk(run_id, [], start, end), lambda run, _: _skip(run, count, why))


def _save(chunk: Chunk, save: SaveLines) -> bool:
    with transaction.atomic():
        rows = Run.objects.select_for_update(of=("self",)).select_related("task")
        run = rows.filter(pk=chunk.run_id, event_offset=chunk.start).defer("task__prompt").first()
        if run is None:
            return False
        run.event_offset = chunk.end
        run.last_heard_at = timezone.now()
        if chunk.lines:
            run.last_event_at = run.last_heard_at
        save(run, chunk.lines)
        doorbell.ring(f"task:{run.task_id}")
    return True


def _save_lines(run: Run, lines: Sequence[object]) -> None:
    _save_rows(run, _numbered(run, lines))


def _save_one_by_one(run: Run, lines: Sequence[object]) -> None:
    """Save each line by itself; one that can't be saved is saved as text."""
    for line in lines:
        before = {name: getattr(run, name) for name in reducer.FIELDS}
        try:
            with transaction.atomic():
                _save_lines(run, [line])
        except Exception as error:
            if columns.is_outage(error):
                raise
            for name, value in before.items():
                setattr(run, name, value)
            why = f"It can't be saved: {type(error).__name__}: {error}"
            _save_rows(run, [_unread(run, line, why)])


def _skip(run: Run, count: int, why: str) -> None:
    """Save one row for so many lines."""
    run.last_seq += count - 1
    run.unread_lines += count - 1
    _save_rows(run, [_unread(run, {"kind": "raw", "line": f"({count} lines)"}, why)])


def _save_rows(run: Run, new: list[wire.RunEvent]) -> None:
    """Save these events and what they change in the run."""
    rows = Event.objects.bulk_create([row_of(run.pk, event) for event in new])
    for event in new:
        reducer.apply(run, event)
    columns.fit(run, reducer.FIELDS)
    run.save(update_fields=[*reducer.FIELDS, *OFFSETS])
    hooks.events_saved(run, new)
    hooks.rows_saved(run, rows)
    _call_hooks(run, new)


def _numbered(run: Run, lines: Sequence[object]) -> list[wire.RunEvent]:
    """Return the events in the next lines of the run, numbered as their lines are.

    Numbers in the file only show which lines are none of the runner's: there they are missing, or were used.
    """
    found: list[wire.RunEvent] = []
    seq, unread = run.last_seq, run.unread_lines
    for line in lines:
        seq += 1
        try:
            event = untrusted.event(line, at_least=seq - unread)
            event["seq"] = seq
        except untrusted.Misfit as error:
            unread += 1
            event = _raw(line, seq, unread, str(error))
        found.append(event)
    run.unread_lines = unread
    return found


def _unread(run: Run, line: object, why: str) -> wire.RawEvent:
    run.unread_lines += 1
    return _raw(line, run.last_seq + 1, run.unread_lines, why)


def _raw(line: object, seq: int, unread: int, why: str) -> wire.RawEvent:
    text = untrusted.quoted(line)
    return {"kind": "raw", "seq": seq, "line": text, "why": why[:500], "unread": unread}


def _call_hooks(run: Run, new: list[wire.RunEvent]) -> None:
    """Report changes of usage, settings and limits, and lost windows."""
    if any(event["kind"] in ("usage", "started") for event in new):
        hooks.usage_changed(run)
    for event in new:
        if event["kind"] == "settings":
            _save_choice(run, event)
        if event["kind"] == "notice" and event.get("code") == wire.WINDOW_LOST:
            transaction.on_commit(partial(jobs.reopen_soon, run.pk))
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
