"""Notifications about requests, ends of runs and limits. Each is created and sent once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from aitask.lib.queue import enqueue
from tasks.conversation import jobs
from tasks.models import Attention, Run
from workspaces.access import visible_workspaces
from workspaces.hostkit import escapes, wire

Kind = Attention.Kind
ENDS = {
    Run.State.SUCCEEDED.value: Kind.FINISHED,
    Run.State.FAILED.value: Kind.FAILED,
    Run.State.LOST.value: Kind.FAILED,
}


HELD = "held CLI: "
"""Before the subject of a notification that is about a CLI, not about a request."""


def note_events(run: Run, events: list[wire.RunEvent]) -> None:
    """Notify of new requests that are still open after these events, in the events' transaction."""
    still_open = {str(request["id"]) for request in run.open_requests}
    for event in events:
        if event["kind"] == "request" and event["id"] in still_open:
            text = event["title"] or event["tool"]
            _create(run, Kind.NEEDS_YOU, subject=event["id"][:100], text=text)


def note_end(run: Run) -> None:
    """Notify of the end of a run, unless a user has ended it."""
    kind = Kind.LIMIT if run.reason_code == "limit" else ENDS.get(run.state)
    if kind:
        _create(run, kind, subject="", text=run.reason)


def note_held_cli(run: Run, reason: str, what: str) -> None:
    """Notify once per workspace that runs wait because a CLI is on hold. The inbox has what can be done."""
    subject = f"{HELD}{what}"[:100]
    told = Attention.objects.filter(run__task__workspace=run.task.workspace_id, subject=subject)
    if not told.exists():
        _create(run, Kind.NEEDS_YOU, subject=subject, text=reason)


def _create(run: Run, kind: str, *, subject: str, text: str) -> None:
    row, is_new = Attention.objects.get_or_create(
        run=run, kind=kind, subject=subject, defaults={"text": escapes.visible(text)[:300]}
    )
    if is_new:
        enqueue(jobs.push, row.pk)


def visible(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Attention]:
    rows = Attention.objects.filter(run__task__workspace__in=visible_workspaces(user))
    return rows.select_related("run__task")


def as_message(row: Attention) -> dict[str, Any]:
    """Return the notification as sent to pages and service workers. `tag` prevents duplicates."""
    is_held = row.subject.startswith(HELD)
    about = "A CLI is on hold" if is_held else row.get_kind_display()
    return {
        "id": row.pk,
        "kind": row.kind,
        "title": f"{about}: {row.run.task.title}",
        "body": row.text,
        "task": row.run.task_id,
        "url": "/inbox" if is_held else f"/tasks/{row.run.task_id}",
        "tag": f"aitask-{row.pk}",
        "at": row.at.isoformat(),
    }


def is_over(row: Attention) -> bool:
    """Whether it is about a request that is no longer open, or a run that no longer waits for its CLI."""
    if row.subject.startswith(HELD):
        return row.run.state != Run.State.QUEUED
    asked = {str(request["id"])[:100] for request in row.run.open_requests}
    return row.kind == Kind.NEEDS_YOU and row.subject not in asked
