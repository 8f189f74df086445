"""Where a conversation can be forked: a new session that continues an earlier one up to some place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import Q

from aitask.lib.errors import Refused
from tasks.models import Event, Run, Task
from workspaces import clis

ANCHOR = re.compile(r"[A-Za-z0-9][\w.-]{0,99}\Z", re.ASCII)
"Ids of lines and turns. They come from a file that an agent could have written."
KINDS = ("text", "message")
AT_THE_START = Refused(
    "There is nothing before this message that could be kept.", "Run the task again without its conversation."
)


@dataclass(frozen=True)
class ForkPlace:
    """A session, and where it is forked; without an anchor it is resumed at its end."""

    session: str
    anchor: str = ""
    before: bool = False


def event_of(task: Task, number: int, seq: int) -> Event | None:
    """Return the message or answer at this position; None if there is no such event."""
    events = Event.objects.filter(run__task=task, run__number=number, seq=seq, kind__in=KINDS)
    return events.select_related("run__task").first()


def place_of(event: Event) -> ForkPlace:
    """Return where to fork for a new conversation that goes on after an answer, or before a message.

    Raises Refused if the CLI can't fork there.
    """
    run = event.run
    if run.backend != run.task.backend:
        label = run.get_backend_display()
        raise Refused(
            f"This conversation was one with {label}, which the task no longer uses.",
            f"Edit the task, and choose {label} again.",
        )
    place = _after(event) if event.kind == "text" else _before(event)
    cli = clis.find(run.backend)
    if cli and cli.forgets_at_compaction and _is_compacted(run.task, place):
        raise Refused(
            f"{run.get_backend_display()} has compacted the conversation since, and can't go back to before.",
            "Take a message or an answer after the compaction.",
        )
    return place


def _is_compacted(task: Task, place: ForkPlace) -> bool:
    """Whether the session was compacted after this place."""
    events = Event.objects.filter(run__task=task, run__cli_session=place.session)
    at = events.filter(data__anchor=place.anchor).select_related("run").first()
    if at is None:
        return False
    later = Q(run__number__gt=at.run.number) | Q(run=at.run, seq__gt=at.seq)
    return events.filter(later, kind="compaction", data__phase="finished").exists()


def _after(event: Event) -> ForkPlace:
    anchor = _anchor(event)
    if event.data.get("parent") or not anchor or not event.run.cli_session:
        raise Refused(
            "The session can't be forked here: the CLI has not named this place.",
            "Answers of sub-agents, and those of older versions of the app, can't be forked. Take another.",
        )
    return ForkPlace(event.run.cli_session, anchor)


def _before(event: Event) -> ForkPlace:
    """Return the place of the answer before a message; the message's own turn for a CLI that has turns."""
    run = event.run
    earlier = Event.objects.filter(Q(run=run, seq__lt=event.seq), kind__in=KINDS).order_by("-seq")
    if run.fork_at and not earlier.exists():
        return ForkPlace(run.resumes, run.fork_at, run.fork_before)
    same = Q(run__cli_session=run.resumes, run__number__lt=run.number) if _is_resumed(run) else Q(pk=None)
    session = run.cli_session or run.resumes
    former = Event.objects.filter(same, run__task=run.task, run__backend=run.backend, kind="text")
    answers = [*earlier.filter(kind="text")[:200], *former.order_by("-run__number", "-seq")[:200]]
    anchors = [_anchor(answer) for answer in answers if not answer.data.get("parent")]
    known = next(filter(None, anchors), "")
    if not session or not (known or run.fork_at):
        raise AT_THE_START
    own = _anchor(event)
    return ForkPlace(session, own or known, before=bool(own))


def _is_resumed(run: Run) -> bool:
    return bool(run.resumes) and not run.fork_at


def _anchor(event: Event) -> str:
    anchor = event.data.get("anchor")
    return anchor if isinstance(anchor, str) and ANCHOR.match(anchor) else ""
