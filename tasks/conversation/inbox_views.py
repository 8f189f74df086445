"""The inbox: the open requests of all agents."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import run_for
from tasks.conversation import rendering, requests, services
from tasks.conversation.form_problems import FormProblems
from tasks.conversation.views import command_of
from workspaces.access import current_user

Key = tuple[int, str]


@require_GET
def inbox_page(request: HttpRequest) -> HttpResponse:
    """Every open request of every task that the user sees, oldest first."""
    return render(request, "tasks/inbox.html", {"nav": "inbox", **rendering.inbox_context(request.user)})


@require_GET
def request_whole(request: HttpRequest) -> HttpResponse:
    """The whole input of a request, or of several identical ones, whose page shows only its beginning."""
    keys = [key for value in request.GET.getlist("ask") if (key := _key(value))]
    found = [requests.open_ask(run_for(request.user, run), request_id) for run, request_id in keys]
    asks = [ask for ask in found if ask]
    if not asks:
        raise Http404
    return HttpResponse(rendering.render_whole(asks))


@require_POST
def inbox_answer(request: HttpRequest) -> HttpResponse:
    """Answer one request, or several identical ones, with one decision."""
    keys = [key for value in request.POST.getlist("ask") if (key := _key(value))]
    problems: list[Refused] = []
    wrong = FormProblems()
    for run_id, request_id in keys:
        try:
            _answer(request, run_id, request_id, wrong)
        except Refused as error:
            problems.append(error)
    here = reverse("inbox")
    if problems:
        count = f"{len(problems)} of {len(keys)}: " if len(keys) > 1 else ""
        refused = htmx.refused(request, f"{count}{problems[0].reason}", problems[0].hint, to=here)
        return wrong.shown_on(refused)
    text = f"Answered {len(keys)} requests." if len(keys) > 1 else ""
    return htmx.done(request, text, to=here)


def _answer(request: HttpRequest, run_id: int, request_id: str, wrong: FormProblems) -> None:
    run = run_for(request.user, run_id)
    command = command_of(request.POST, run, request_id)
    with wrong.noted(requests.open_ask(run, request_id)):
        services.answer(run, request_id, command, user=current_user(request))


def _key(text: str) -> Key | None:
    number, _, request_id = text.partition("-")
    run = whole_number(number)
    return (run, request_id) if run is not None and request_id else None
