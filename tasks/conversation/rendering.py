"""The box to talk to an agent, and the inbox: what is asked, what is on its way, what can be said now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone

from tasks.conversation import requests
from tasks.models import Outgoing, Run, Task
from workspaces.access import visible_workspaces
from workspaces.catalog import queries as catalog_queries
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
    offer = catalog_queries.lists_of(task.workspace).get(backend)
    models = offer.models if offer else []
    efforts = dict.fromkeys(level["id"] for model in models for level in model["reasoning_efforts"])
    return {"offered": models, "efforts": list(efforts)}


def inbox_context(user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    asks = requests.all_asks(waiting_runs(user))
    return {"asks": render_asks(asks), "count": len([ask for ask in asks if not ask.answered])}


def waiting_runs(user: AbstractBaseUser | AnonymousUser) -> list[Run]:
    """Runs that wait for a person, of all tasks that the user sees."""
    runs = Run.objects.filter(task__workspace__in=visible_workspaces(user), state=Run.State.WAITING)
    return list(runs.select_related("task__workspace"))


def render_asks(asks: list[requests.Ask]) -> str:
    """The HTML of all requests, identical ones of several runs together."""
    found = requests.groups(asks)
    return "".join(
        render_to_string("tasks/talk/_request.html", {"ask": group.first, "group": group}) for group in found
    )
