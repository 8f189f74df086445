"""The inbox: the open requests of all agents, and what has finished or failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import run_for
from tasks.conversation import attendance, ended, inbox, rendering, requests, services
from tasks.conversation.form_problems import FormProblems
from tasks.conversation.views import command_of
from tasks.models import Run
from workspaces.access import current_user, visible_workspaces

Key = tuple[int, str]


@require_GET
def inbox_page(request: HttpRequest, tab: str = "") -> HttpResponse:
    """A part of the inbox: open requests, the oldest first, or runs that have ended, the newest first."""
    attendance.note(current_user(request))
    context = inbox.context_of(request.user, inbox.tab_called(tab))
    return render(request, "tasks/inbox.html", {"nav": "inbox", **context, **_absence(request)})


@require_GET
def since_you_left(request: HttpRequest) -> HttpResponse:
    """What happened in the user's last absence, as the inbox shows it."""
    return render(request, "tasks/_since.html", _absence(request))


def _absence(request: HttpRequest) -> dict[str, Any]:
    return {"absence": attendance.absence_of(current_user(request))}


@require_POST
def since_dismiss(request: HttpRequest) -> HttpResponse:
    attendance.dismiss(current_user(request))
    return htmx.done(request, to=reverse("board"))


@require_POST
def inbox_seen(request: HttpRequest) -> HttpResponse:
    """Mark ended runs as seen: those named by `run`, or all of a tab. Answers with their ids."""
    pks = _runs_of(request)
    if "tab" in request.POST:
        pks += ended.unseen(request.user).of(inbox.tab_called(request.POST["tab"]))
    return _marked(request, ended.mark_seen, pks)


@require_POST
def inbox_unseen(request: HttpRequest) -> HttpResponse:
    """Undo `inbox_seen`."""
    return _marked(request, ended.mark_unseen, _runs_of(request))


def _marked(
    request: HttpRequest, mark: Callable[[AbstractBaseUser, list[Run]], None], pks: list[int]
) -> HttpResponse:
    user = current_user(request)
    runs = list(Run.objects.filter(pk__in=pks, task__workspace__in=visible_workspaces(user)).only("pk"))
    mark(user, runs)
    if htmx.is_partial(request):
        return JsonResponse({"runs": [run.pk for run in runs]})
    return redirect("inbox")


def _runs_of(request: HttpRequest) -> list[int]:
    found = (whole_number(value) for value in request.POST.getlist("run")[: ended.LOOKED_AT])
    return [pk for pk in found if pk is not None]


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
    with wrong.noted(requests.open_ask(run, request_id)):
        command = command_of(request.POST, run, request_id)
        services.answer(run, request_id, command, user=current_user(request))


def _key(text: str) -> Key | None:
    number, _, request_id = text.partition("-")
    run = whole_number(number)
    return (run, request_id) if run is not None and request_id else None
