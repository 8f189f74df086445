"""The box to talk to an agent: what it asks, what is on its way to it, and what can be said now."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone

from tasks.conversation import requests
from tasks.models import Outgoing, Run, Task
from workspaces.catalog import reading
from workspaces.models import PermissionMode

NEW_FAILURES = timedelta(minutes=30)
"How long an answer or setting that came too late is told of; a message stays until it is dismissed."


def render_talk(task: Task, run: Run | None) -> dict[str, str]:
    """Safe HTML by place in the page, and the state that decides what the box offers."""
    state = state_of(run)
    asks = requests.asks_of(run)
    context = {"task": task, "run": run, "talk_state": state, "sent": sent(task)}
    holds = run if state == "live" else task
    chosen = {**context, **choices(task, run), "modes": PermissionMode.choices, "chosen": holds}
    return {
        "state": state,
        "run": str(run.pk) if run else "",
        "asks": "".join(render_to_string("tasks/talk/_request.html", {"ask": ask}) for ask in asks),
        "sent": render_to_string("tasks/talk/_sent.html", context),
        "menu": render_to_string("tasks/talk/_settings.html", chosen),
    }


def state_of(run: Run | None) -> str:
    """What a message would do: none (nothing to talk to), live, or over (it starts a run that goes on)."""
    if run is None or run.state == Run.State.QUEUED:
        return "none"
    return "live" if run.is_active else "over"


def sent(task: Task) -> list[Outgoing]:
    """What the agent has not taken, and what it never will."""
    rows = Outgoing.objects.filter(run__task=task, state__in=(*Outgoing.OPEN, Outgoing.State.FAILED))
    told = Q(kind=Outgoing.Kind.MESSAGE) | Q(at__gt=timezone.now() - NEW_FAILURES)
    return list(rows.filter(~Q(state=Outgoing.State.FAILED) | told).order_by("pk"))


def choices(task: Task, run: Run | None) -> dict[str, object]:
    """Models and efforts that the host's CLI lists."""
    backend = run.backend if run else task.backend
    offer = reading.lists_of(task.workspace).get(backend)
    models = offer.models if offer else []
    efforts = dict.fromkeys(level["id"] for model in models for level in model["reasoning_efforts"])
    return {"offered": models, "efforts": list(efforts)}
