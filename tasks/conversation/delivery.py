"""Deliver messages, answers and settings to their runs: in order and once, also after a lost link.

The oldest waiting row of a run is sent first, and the next one only after the runner has answered. The runner
identifies each by its key and never accepts one twice, so that any number of workers can deliver at once.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from tasks.attachments import hosting
from tasks.conversation import forms
from tasks.models import Outgoing, Run
from tasks.repository import Site
from tasks.runs import control
from tasks.runs import services as run_services
from workspaces.catalog import queries as catalog_queries
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.models import Host

State = Outgoing.State
RETRY = timedelta(seconds=2)
"When a delivery job counts as lost, and the interval of attempts if no runner answers."
UPLOAD = timedelta(minutes=5)
"How long a worker may send one file before another one tries it."
ENDED = "The run ended before the agent received it."


def enqueue_delivery(run: Run) -> None:
    """Enqueue the delivery of the run's waiting rows."""
    soon = timezone.now() + RETRY
    rows = Outgoing.objects.filter(Q(retry_at=None) | Q(retry_at__lt=soon), run=run, state=State.WAITING)
    rows.update(retry_at=soon)
    enqueue(deliver, run.pk)


def deliver(run_id: int, *, with_files: bool = True) -> None:
    """Send the waiting rows of a run, oldest first, until none is left or the host accepts no more.

    Not `with_files`: stop before a message whose files must be sent first, which may take long.
    """
    while row := _oldest(run_id):
        if (row.attachments and not with_files) or not _try(row):
            return


def _oldest(run_id: int) -> Outgoing | None:
    rows = Outgoing.objects.filter(run_id=run_id, state=State.WAITING, run__state__in=Run.ACTIVE)
    return rows.select_related("run__task__workspace").order_by("pk").first()


def _try(row: Outgoing) -> bool:
    """Send one row. Return whether the runner has answered; False means try again later."""
    if row.attachments and not _claim(row):
        return False  # another worker sends its files
    try:
        files = _put_on_host(row, control.reach(row.run))
    except HostError as error:  # nothing was sent: the row can still be changed or withdrawn
        if not row.attachments or error.retryable:
            return False
        finish(row, State.FAILED, reason=str(error))  # such as a full disk
        return True
    marked = Outgoing.objects.filter(pk=row.pk, state=State.WAITING).update(tried_at=timezone.now())
    if not marked:  # withdrawn in the meantime
        return True
    row.refresh_from_db(fields=["payload"])  # it may have been edited in the meantime
    try:
        control.send(row.run, {**row.payload, **files, "id": str(row.key)})
    except (HostError, control.Later):
        return False
    except Refused as error:
        finish(row, State.FAILED, reason=error.reason)
        return True
    finish(row, State.SENT if row.kind == Outgoing.Kind.MESSAGE else State.TAKEN)
    return True


def _claim(row: Outgoing) -> bool:
    """Let no other worker send the files of this message for a while; return False if one does already."""
    now = timezone.now()
    free = Outgoing.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now + RETRY), pk=row.pk)
    return bool(free.update(retry_at=now + UPLOAD))


def _put_on_host(row: Outgoing, site: Site) -> dict[str, list[wire.AttachedFile]]:
    """Put the files of a message on the host, and return what the runner is told of them. Raises HostError.

    The row still waits meanwhile: it can be edited and withdrawn.
    """
    if not row.attachments:
        return {}
    run, rows, files = row.run, Outgoing.objects.filter(pk=row.pk), []
    try:
        for pk in row.attachments:
            files += hosting.put_on_host(site, run.task, [pk])
            rows.update(retry_at=timezone.now() + UPLOAD)
    finally:
        rows.update(retry_at=timezone.now() + RETRY)
    takes = catalog_queries.takes_pictures(run.task.workspace, run.backend, run.model)
    return {"attachments": hosting.as_taken(files, takes)}


def finish(row: Outgoing, state: str, *, reason: str = "") -> bool:
    """Set the state by compare-and-set; return False if the row has changed already."""
    before = (State.WAITING, State.SENT) if state == State.TAKEN else (State.WAITING,)
    changed = Outgoing.objects.filter(pk=row.pk, state__in=before).update(state=state, reason=reason[:1000])
    if row.kind == Outgoing.Kind.ANSWER:
        forget_secrets(row.run)
    doorbell.ring(f"task:{row.run.task_id}")
    return bool(changed)


def forget_secrets(run: Run) -> None:
    """Remove the values of secret fields from answers that are delivered, or never will be."""
    rows = Outgoing.objects.filter(run=run, kind=Outgoing.Kind.ANSWER, payload__has_key="secret")
    for row in rows.exclude(state=State.WAITING):
        Outgoing.objects.filter(pk=row.pk).update(payload=forms.without_secrets(row.payload))


def note_events(run: Run, events: list[wire.RunEvent]) -> None:
    """Update rows by the host's events about messages and requests, in the events' transaction."""
    taken = [key for event in events if event["kind"] == "message" and (key := _key(event["id"]))]
    if taken:
        Outgoing.objects.filter(run=run, key__in=taken).update(state=State.TAKEN, reason="")
    for event in events:
        if event["kind"] == "message_returned" and (key := _key(event["id"])):
            returned = Outgoing.objects.filter(run=run, key=key, state__in=Outgoing.OPEN)
            returned.update(state=State.FAILED, reason=event["reason"][:1000])
        if event["kind"] == "request_closed" and event["by"] != "web":
            lost = Outgoing.objects.filter(run=run, request=event["id"][:100], state=State.WAITING)
            if lost.update(state=State.FAILED, reason=CLOSED.get(event["by"], "It was answered already.")):
                forget_secrets(run)


CLOSED = {
    "keyboard": "It was answered in the terminal.",
    "agent": "The agent has withdrawn the request.",
    "mode": "It was answered by the permission mode.",
}


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def repair() -> None:
    """Enqueue waiting rows whose host is up, and conclude those whose run has ended."""
    now = timezone.now()
    due = Outgoing.objects.filter(Q(retry_at=None) | Q(retry_at__lt=now), state=State.WAITING)
    down = set(Host.objects.filter(link=Host.Link.DOWN).values_list("key", flat=True))
    for run in Run.objects.filter(pk__in=due.values("run"), state__in=Run.ACTIVE).select_related(
        "task__workspace"
    ):
        if run.task.workspace.address.key not in down:
            enqueue_delivery(run)
    over = Outgoing.objects.filter(state__in=Outgoing.OPEN, run__state__in=Run.ENDED)
    for run in Run.objects.filter(pk__in=over.values("run")).select_related("task__workspace"):
        conclude(run)


def conclude(run: Run) -> None:
    """Queue a follow-up with the messages and settings that an ended run did not receive."""
    with transaction.atomic():
        rows = list(Outgoing.objects.select_for_update().filter(run=run, state__in=Outgoing.OPEN))
        if any(row.state == State.SENT for row in rows) and not _has_all_events(run):
            return  # the event that confirms it may still arrive
        messages = [row for row in rows if row.kind == Outgoing.Kind.MESSAGE]
        Outgoing.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.FAILED, reason=ENDED)
        forget_secrets(run)
        if messages and run.state == Run.State.SUCCEEDED:
            _queue_follow_up(run, messages, rows)
    doorbell.ring(f"task:{run.task_id}")


def _has_all_events(run: Run) -> bool:
    last = (run.outcome or {}).get("last_seq")
    return last is None or run.last_seq >= last


def _queue_follow_up(run: Run, messages: list[Outgoing], rows: list[Outgoing]) -> None:
    text = "\n\n".join(row.text for row in messages if row.text)
    files = list(dict.fromkeys(pk for row in messages for pk in row.attachments))
    try:
        with transaction.atomic():
            run_services.queue_run(
                run.task, user=None, prompt=text, resume=True, attachments=files, **_chosen(rows)
            )
    except (Refused, ValidationError):
        return  # a newer run is live or there is no session; the page shows that it was not delivered
    delivered = [row.pk for row in rows if row.kind != Outgoing.Kind.ANSWER]
    Outgoing.objects.filter(pk__in=delivered).update(
        state=State.TAKEN, reason="It was delivered to a new run."
    )


def _chosen(rows: list[Outgoing]) -> dict[str, str]:
    """Return the model and effort that were set last. A permission mode applies to the ended run only."""
    settings = [row.payload for row in rows if row.kind == Outgoing.Kind.SETTING]
    names = ("model", "reasoning_effort")
    return {name: each[name] for each in settings for name in names if name in each}
