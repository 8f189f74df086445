"""Bring what people said to the host: in order, once, also when the link was lost meanwhile.

The oldest waiting row of a run goes first and the next one only after the runner has answered it; the runner
knows each by its key and never takes one twice. So any number of deliverers may work at the same time.
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
from tasks.models import Outgoing, Run
from tasks.runs import control
from tasks.runs import services as run_services
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.models import Host

State = Outgoing.State
RETRY = timedelta(seconds=2)
"How long a nudge may take before it counts as lost, and how often a runner that is not there is asked again."
ENDED = "The run ended before the agent took it."


def enqueue_delivery(run: Run) -> None:
    """Have a worker deliver after the commit."""
    Outgoing.objects.filter(run=run, state=State.WAITING).update(retry_at=timezone.now() + RETRY)
    enqueue(deliver, run.pk)


def deliver(run_id: int) -> None:
    """Send what waits for this run, oldest first, until nothing is left or the host can't take more."""
    while row := _oldest(run_id):
        if not _try(row):
            return


def _oldest(run_id: int) -> Outgoing | None:
    rows = Outgoing.objects.filter(run_id=run_id, state=State.WAITING, run__state__in=Run.ACTIVE)
    return rows.select_related("run__task__workspace").order_by("pk").first()


def _try(row: Outgoing) -> bool:
    """Whether the runner has answered; False: later."""
    try:
        control.reach(row.run)
    except HostError:
        return False  # it knows nothing of it: the row may still be changed or withdrawn
    marked = Outgoing.objects.filter(pk=row.pk, state=State.WAITING).update(tried_at=timezone.now())
    if not marked:  # withdrawn a moment ago
        return True
    row.refresh_from_db(fields=["payload"])  # said in other words a moment ago
    try:
        control.send(row.run, {**row.payload, "id": str(row.key)})
    except (HostError, control.Later):
        return False
    except Refused as error:
        finish(row, State.FAILED, reason=error.reason)
        return True
    finish(row, State.SENT if row.kind == Outgoing.Kind.MESSAGE else State.TAKEN)
    return True


def finish(row: Outgoing, state: str, *, reason: str = "") -> bool:
    """Compare and set; False when the row has gone on already."""
    before = (State.WAITING, State.SENT) if state == State.TAKEN else (State.WAITING,)
    changed = Outgoing.objects.filter(pk=row.pk, state__in=before).update(state=state, reason=reason[:1000])
    doorbell.ring(f"task:{row.run.task_id}", "board")
    return bool(changed)


def note_events(run: Run, events: list[wire.RunEvent]) -> None:
    """What the host tells of messages and requests; called with the events in their transaction."""
    taken = [key for event in events if event["kind"] == "message" and (key := _key(event["id"]))]
    if taken:
        Outgoing.objects.filter(run=run, key__in=taken).update(state=State.TAKEN, reason="")
    for event in events:
        if event["kind"] == "request_closed" and event["by"] != "web":
            lost = Outgoing.objects.filter(run=run, request=event["id"][:100], state=State.WAITING)
            lost.update(state=State.FAILED, reason=CLOSED.get(event["by"], "It was answered already."))


CLOSED = {
    "keyboard": "It was answered in the terminal.",
    "agent": "The agent does not ask any more.",
    "mode": "The permission mode has answered it.",
}


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def repair() -> None:
    """Nudge what waits and whose host is there; what its run has outlived becomes a run that goes on."""
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
    """Messages that an ended run did not take start a run that goes on, with the settings that waited too."""
    with transaction.atomic():
        rows = list(Outgoing.objects.select_for_update().filter(run=run, state__in=Outgoing.OPEN))
        if any(row.state == State.SENT for row in rows) and not _all_is_read(run):
            return  # the event that tells of it may still come
        words = [row.text for row in rows if row.kind == Outgoing.Kind.MESSAGE]
        Outgoing.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.FAILED, reason=ENDED)
        if words and run.state == Run.State.SUCCEEDED:
            _go_on(run, words, rows)
    doorbell.ring(f"task:{run.task_id}", "board")


def _all_is_read(run: Run) -> bool:
    last = (run.outcome or {}).get("last_seq")
    return last is None or run.last_seq >= last


def _go_on(run: Run, words: list[str], rows: list[Outgoing]) -> None:
    try:
        with transaction.atomic():
            run_services.queue_run(
                run.task, user=None, prompt="\n\n".join(words), resume=True, **_chosen(rows)
            )
    except (Refused, ValidationError):
        return  # a newer run is live, or there is no session: the person reads that it was not taken
    said = [row.pk for row in rows if row.kind != Outgoing.Kind.ANSWER]
    Outgoing.objects.filter(pk__in=said).update(state=State.TAKEN, reason="A new run went on with it.")


def _chosen(rows: list[Outgoing]) -> dict[str, str]:
    """Model and effort that were asked for last; the permission mode was meant for the ended run alone."""
    settings = [row.payload for row in rows if row.kind == Outgoing.Kind.SETTING]
    names = ("model", "reasoning_effort")
    return {name: each[name] for each in settings for name in names if name in each}
