"""HTML of the conversation box: requests, undelivered messages, settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from tasks.conversation import plans, rendered, requests
from tasks.models import Outgoing, Run, Task
from tasks.rendering.work import figures
from tasks.runs import modes
from tasks.runs.reducer import parse_time
from tasks.verbs import TaskVerb, possible
from workspaces import permission_modes
from workspaces.access import may_decide
from workspaces.catalog import queries as catalog_queries

CONTINUES = "Continue this conversation"
ANOTHER_RUN = "Start another run with this prompt"
"What a message does when no run is live, with and without a session to continue."
NEW_FAILURES = timedelta(minutes=30)
"How long an undelivered answer or setting is shown. A message is shown until it is dismissed."


def render_talk(task: Task, run: Run | None) -> dict[str, str]:
    """Return safe HTML for each part of the conversation box, and the state that decides what it offers."""
    state = state_of(run)
    asks = requests.asks_of(run)
    context = {"task": task, "run": run, "talk_state": state, "sent": sent(task)}
    current = run if state == "live" else task
    chosen = {**context, **choices(task, run), **mode_choices(task, run, state), "chosen": current}
    return {
        "state": state,
        "run": str(run.pk) if run else "",
        "over": CONTINUES if state == "over" and has_session(task) else ANOTHER_RUN,
        "asks": "".join(render_request([ask]) for ask in asks),
        "work": render_work(run),
        "sent": render_to_string("tasks/talk/_sent.html", context),
        "menu": render_to_string("tasks/talk/_settings.html", chosen),
    }


def render_work(run: Run | None) -> str:
    """Return the HTML of the agent's own list, and of what runs in the background."""
    if run is None:
        return ""
    works = [
        {**work, "at": parse_time(work.get("since")), "figures": figures(work)} for work in run.in_background
    ]
    context = {"run": run, "works": works, "verbs": possible(run.task, run, (TaskVerb.STOP_BACKGROUND,))}
    return render_to_string("tasks/talk/_work.html", context)


def has_session(task: Task) -> bool:
    """Whether there is a conversation that another run can continue."""
    return task.runs.filter(backend=task.backend).exclude(cli_session="").exists()


def state_of(run: Run | None) -> str:
    """Return what a message would do: none (there is no agent), live (send), or over (queue a follow-up)."""
    if run is None or run.state == Run.State.QUEUED:
        return "none"
    return "live" if run.is_active else "over"


def sent(task: Task) -> list[Outgoing]:
    """Return the messages, answers and settings that were not delivered, yet or for good."""
    rows = Outgoing.objects.filter(run__task=task, state__in=(*Outgoing.OPEN, Outgoing.State.FAILED))
    shown = Q(kind=Outgoing.Kind.MESSAGE) | Q(at__gt=timezone.now() - NEW_FAILURES)
    return list(rows.filter(~Q(state=Outgoing.State.FAILED) | shown).order_by("pk"))


def choices(task: Task, run: Run | None) -> dict[str, object]:
    """Return the models and efforts that the host's CLI offers."""
    backend = run.backend if run else task.backend
    offer = catalog_queries.lists_of(task.workspace).get(backend)
    models = offer.models if offer else []
    efforts = dict.fromkeys(level["id"] for model in models for level in model["reasoning_efforts"])
    model = (run if run and run.is_active else task).model
    blind = catalog_queries.takes_pictures_of(offer, model) is False
    return {"offered": models, "efforts": list(efforts), "takes_no_pictures": blind}


def mode_choices(task: Task, run: Run | None, state: str) -> dict[str, object]:
    """Return the permission modes for the live run, or for one that continues the conversation."""
    mode = (
        run.permission_mode
        if run and state == "live"
        else modes.mode_of_next(task, modes.continued_run(task))
    )
    kept = "" if state == "live" else modes.kept_after_plan(task)
    return {"modes": permission_modes.options(task.workspace, current=mode), "mode": mode, "kept_mode": kept}


def render_whole(asks: list[requests.Ask]) -> str:
    """Return the HTML of an input that is too long to be shown at once, with the digests that allow it."""
    same = [ask for ask in asks if ask.same_as == asks[0].same_as]
    context = {"ask": same[0], "asks": same, "whole": True}
    return render_to_string("tasks/talk/_given.html", context)


def render_asks(asks: list[requests.Ask], user: AbstractBaseUser | AnonymousUser) -> str:
    """Return the HTML of all requests for a user, with identical ones of several runs grouped."""
    return render_groups(requests.groups(asks), user, {})


def render_groups(
    groups: list[requests.RequestGroup], user: AbstractBaseUser | AnonymousUser, said: Mapping[int, str]
) -> str:
    """Return the HTML of requests as the inbox shows them. `said` has the last sentence of some runs."""
    workspaces = {group.first.run.task.workspace for group in groups}
    limited = {workspace.pk for workspace in workspaces if not may_decide(user, workspace)}
    return "".join(
        _kept_request(group, said.get(group.first.run.pk, ""), group.first.run.task.workspace_id in limited)
        for group in groups
    )


def _kept_request(group: requests.RequestGroup, said: str, is_limited: bool) -> SafeString:
    workspace = group.first.run.task.workspace
    limits = (workspace.name, workspace.permission_mode, workspace.ceiling, is_limited)
    shows = [*limits, said, *(_shown_of(ask) for ask in group.asks)]
    return rendered.kept.html(
        shows, lambda: render_request(group.asks, group, is_limited=is_limited, said=said)
    )


def _shown_of(ask: requests.Ask) -> Any:
    """Return all of a request and of its run that its HTML depends on."""
    run, task = ask.run, ask.run.task
    of_run = (run.pk, run.backend, run.permission_mode, task.pk, task.title, task.worktree_path)
    return [*of_run, ask.answered, ask.request]


def render_request(
    asks: list[requests.Ask],
    group: requests.RequestGroup | None = None,
    *,
    is_limited: bool = False,
    said: str = "",
) -> SafeString:
    """Return the HTML of a request of one run, or of identical ones as the inbox shows them.

    `is_limited` means that the user may not decide what runs in the workspace. `said` is the last sentence
    of the agent.
    """
    context = {
        "ask": asks[0],
        "asks": asks,
        "group": group,
        "said": said,
        "grants": requests.common_grants(asks),
        "modes_after": plans.modes_after(asks[0]) if asks[0].kind == "plan" else [],
        "is_limited": is_limited,
    }
    return SafeString(render_to_string("tasks/talk/_request.html", context))
