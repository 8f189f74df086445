"""The search page, finding within a conversation, and the tasks of the command palette."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from aitask.lib.answers import attempt, json_answer
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import task_for
from tasks.models import SearchEntry
from tasks.search import palette, queries, within
from workspaces.access import current_user, visible_workspaces

Kind = SearchEntry.Kind
CHIPS = {
    "text": (Kind.ANSWER, Kind.PROMPT),
    "edits": (Kind.DIFF,),
    "commands": (Kind.COMMAND,),
    "errors": (Kind.ERROR,),
}
"""Filters of a conversation, and the kinds of texts that each shows."""


@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    """Everything that has the words of `q`, in all workspaces or one, of all kinds or one."""
    return render(request, "tasks/search/search.html", search_context(request))


@require_GET
def search_results(request: HttpRequest) -> HttpResponse:
    """The results alone, with which the page updates itself while its user types."""
    return render(request, "tasks/search/_results.html", search_context(request))


def search_context(request: HttpRequest) -> dict[str, Any]:
    user, query = current_user(request), request.GET.get("q", "")
    workspaces = list(visible_workspaces(user).order_by("name"))
    asked = whole_number(request.GET.get("workspace"))
    chosen = next((workspace for workspace in workspaces if workspace.pk == asked), None)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Kind.values else ""
    found = attempt(lambda: queries.search(user, query, workspace=chosen.pk if chosen else None, kind=kind))
    return {
        "nav": "search",
        "q": query[: queries.MOST_SHOWN],
        "find_in_task": urlencode({"find": query}),
        "kinds": Kind.choices,
        "kind": kind,
        "workspaces": workspaces,
        "workspace": chosen,
        "problem": found if isinstance(found, Refused) else None,
        "found": None if isinstance(found, Refused) else found,
    }


@require_GET
def task_find(request: HttpRequest, pk: int) -> JsonResponse:
    """The places in a conversation that have the words of `q`, of all kinds or of the filters `only`."""
    task = task_for(request.user, pk)
    chips = request.GET.get("only", "").split()
    kinds = [kind for chip in chips for kind in CHIPS.get(chip, ())]
    return json_answer(lambda: {"places": within.places_in(task, request.GET.get("q", ""), kinds)})


@require_GET
def task_outline(request: HttpRequest, pk: int) -> HttpResponse:
    """The turns of a conversation, and how many texts each filter shows."""
    task = task_for(request.user, pk)
    counts = within.counts_in(task)
    sums = {chip: sum(counts.get(kind, 0) for kind in kinds) for chip, kinds in CHIPS.items()}
    context = {"task": task, "turns": within.turns_of(task), "counts": sums}
    return render(request, "tasks/search/_outline.html", context)


@require_GET
def palette_tasks(request: HttpRequest) -> JsonResponse:
    """What the command palette adds to a page's own: tasks that `q` finds, or `recent` ones, and pages."""
    recent = [pk for text in request.GET.get("recent", "").split(",")[:20] if (pk := whole_number(text))]
    user = current_user(request)
    items = palette.tasks_for(user, request.GET.get("q", ""), recent)
    return JsonResponse({"tasks": items, "pages": palette.pages_for(user)})
