"""The bar and the dialog for many tasks, and doing what they offer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import attempt, json_answer, text_answer
from aitask.lib.errors import Malformed, Refused
from aitask.lib.text import whole_number
from tasks.board.views import filter_of
from tasks.many import services, verbs
from tasks.many.services import ManyOutcome
from tasks.many.verbs import ManyPlan, ManyVerb
from tasks.models import Task
from workspaces.access import current_user

IN_BAR = tuple(verb for verb in ManyVerb if verb != ManyVerb.UNQUEUE)
LABELS = {
    ManyVerb.RUN: ("Run", "play"),
    ManyVerb.CANCEL: ("Cancel run", "square"),
    ManyVerb.ACCEPT: ("Accept", "check"),
    ManyVerb.UNACCEPT: ("Undo accept", "undo-2"),
    ManyVerb.MERGE: ("Merge", "git-branch"),
    ManyVerb.MOVE_TO_BACKLOG: ("To Backlog", "circle-dashed"),
    ManyVerb.MOVE_TO_REVIEW: ("To Review", "eye"),
    ManyVerb.CLOSE: ("Close without merging", "circle-x"),
    ManyVerb.ARCHIVE: ("Archive", "inbox"),
    ManyVerb.UNARCHIVE: ("Unarchive", "undo-2"),
    ManyVerb.DELETE: ("Delete", "trash-2"),
    ManyVerb.UNCREATE: ("Undo create", "undo-2"),
}
NOTES = {
    ManyVerb.RUN: "Each run starts when its workspace has a free slot.",
    ManyVerb.CANCEL: "This kills the agents and everything that they started. Their work so far stays in the"
    " worktrees. Runs that are still queued are unqueued.",
    ManyVerb.CLOSE: "The cards move to Done. Branches and worktrees stay on the host.",
    ManyVerb.DELETE: "Their runs, events and files are removed, also from their host. Their tokens and cost"
    " stay in the totals; branches, worktrees and commits stay on the host.",
}
WORKED_ON = (Task.Status.REVIEW, Task.Status.DONE)


@require_GET
def many_bar(request: HttpRequest) -> HttpResponse:
    """What can be done with the selected tasks: each verb with how many of them allow it."""
    found = attempt(lambda: services.tasks_named(current_user(request), _named(request.GET)))
    if isinstance(found, Refused):
        return text_answer(found)
    facts = verbs.facts_of(found)
    plans = [plan for verb in IN_BAR if (plan := verbs.plan(verb, facts)).ready]
    shown = [{"plan": plan, "label": LABELS[plan.verb][0], "icon": LABELS[plan.verb][1]} for plan in plans]
    return render(request, "tasks/_many_bar.html", {"verbs": shown, "count": len(found)})


@require_GET
def many_plan(request: HttpRequest) -> HttpResponse:
    """The dialog that says what a verb will do, for each workspace, and what it leaves out."""
    verb = _verb(request.GET.get("verb", ""))
    result = attempt(lambda: services.plan_for(verb, _tasks(request, request.GET, verb)))
    if isinstance(result, Refused):
        return text_answer(result)
    return render(request, "tasks/_many.html", plan_context(result))


def plan_context(plan: ManyPlan) -> dict[str, Any]:
    places = [
        {"workspace": tasks[0].workspace, "tasks": tasks, "merge_page": _merge_page(tasks)}
        for tasks in plan.workspaces.values()
    ]
    return {
        "plan": plan,
        "label": LABELS[plan.verb][0],
        "icon": LABELS[plan.verb][1],
        "places": places,
        "note": NOTES.get(plan.verb, ""),
        "again": sum(task.status in WORKED_ON for task in plan.ready) if plan.verb == ManyVerb.RUN else 0,
    }


def _merge_page(tasks: list[Task]) -> str:
    query = urlencode([("task", task.pk) for task in tasks])
    return f"{reverse('merge', args=[tasks[0].workspace_id])}?{query}"


@require_POST
def many_do(request: HttpRequest) -> JsonResponse:
    """Do a verb with the tasks that are named, or with those of a column."""
    verb = _verb(request.POST.get("verb", ""))

    def act() -> dict[str, Any]:
        named = _named(request.POST) or [task.pk for task in _tasks(request, request.POST, verb)]
        return as_json(services.act(current_user(request), verb, named))

    return json_answer(act)


def as_json(outcome: ManyOutcome) -> dict[str, Any]:
    train = outcome.trains[0] if outcome.trains else None
    link = train and {"href": reverse("train", args=[train.pk]), "text": f"Merge train #{train.pk}"}
    partly = "needs" if outcome.done else "failed"
    return {
        "text": outcome.text,
        "reasons": outcome.reasons,
        "kind": partly if outcome.left_out else "good",
        "done": [task.pk for task in outcome.done],
        "undo": [{"verb": step.verb, "tasks": step.tasks} for step in outcome.undo],
        "link": link,
    }


def _verb(name: str) -> ManyVerb:
    if name not in list(ManyVerb):
        raise Http404
    return ManyVerb(name)


def _named(values: QueryDict) -> list[int]:
    return [pk for value in values.getlist("task") if (pk := whole_number(value)) is not None]


def _tasks(request: HttpRequest, values: QueryDict, verb: ManyVerb) -> list[Task]:
    """Return the tasks that a request names, or those of its column and filter."""
    user, column = current_user(request), values.get("column", "")
    if not column:
        return services.tasks_named(user, _named(values))
    if column not in Task.Status.values:
        raise Malformed("There is no such column.")
    return services.tasks_in(user, column, filter_of(values), verb)
