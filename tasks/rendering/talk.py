"""The box to talk to an agent: what it asks, what is on its way to it, and what can be said now."""

from __future__ import annotations

from datetime import timedelta

from django.template.loader import render_to_string
from django.utils import timezone

from tasks.conversation import asking
from tasks.conversation.models import Outgoing
from tasks.models import Run, Task
from workspaces.catalog import reading
from workspaces.models import PermissionMode

SILENT_AFTER = timedelta(minutes=10)
"A busy agent of which nothing was heard for so long is called silent. Nothing is done about it."
NEW_FAILURES = timedelta(minutes=30)


def render_talk(task: Task, run: Run | None) -> dict[str, str]:
    """Safe HTML by place in the page, and the state that decides what the box offers."""
    state = state_of(run)
    asks = asking.asks_of(run)
    context = {"task": task, "run": run, "talk_state": state, "sent": sent(task)}
    chosen = {**context, **choices(task, run), "modes": PermissionMode.choices}
    return {
        "state": state,
        "run": str(run.pk) if run else "",
        "asks": "".join(render_to_string("tasks/talk/_request.html", {"ask": ask}) for ask in asks),
        "sent": render_to_string("tasks/talk/_sent.html", context),
        "menu": render_to_string("tasks/talk/_settings.html", chosen),
        "silent": silent_since(run),
    }


def state_of(run: Run | None) -> str:
    """What a message would do: none (nothing to talk to), live, or over (it starts a run that goes on)."""
    if run is None or run.state == Run.State.QUEUED:
        return "none"
    return "live" if run.is_active else "over"


def sent(task: Task) -> list[Outgoing]:
    """Messages that the agent has not taken, and those of late that it never will."""
    rows = Outgoing.objects.filter(run__task=task, state__in=(*Outgoing.OPEN, Outgoing.State.FAILED))
    recent = timezone.now() - NEW_FAILURES
    return [row for row in rows.order_by("pk") if row.state != Outgoing.State.FAILED or row.at > recent]


def choices(task: Task, run: Run | None) -> dict[str, object]:
    """Models and efforts that the host's CLI lists."""
    backend = run.backend if run else task.backend
    offer = reading.lists_of(task.workspace).get(backend)
    models = offer.models if offer else []
    efforts = dict.fromkeys(level["id"] for model in models for level in model["reasoning_efforts"])
    return {"offered": models, "efforts": list(efforts)}


def silent_since(run: Run | None) -> str:
    """Since when a busy run has said nothing; the page shows it once SILENT_AFTER is over."""
    if run is None or run.state not in (Run.State.RUNNING, Run.State.STARTING):
        return ""
    last = run.events.order_by("-seq").values_list("at", flat=True).first()
    moment = last or run.started_at or run.queued_at
    return moment.isoformat()
