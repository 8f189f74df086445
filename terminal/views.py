"""Terminal pages: a session next to the sidebar, the saved history of a session, and closing a session."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import clients, typed_commands
from aitask.lib.answers import answer, attempt, text_answer
from aitask.lib.errors import Refused
from aitask.lib.policy import with_own_styles
from aitask.lib.text import whole_number
from terminal import access, jobs, services
from terminal.finished import still_finished
from terminal.frames import MAX_PASTED
from terminal.models import Visit
from terminal.places import Place
from workspaces.access import current_user

TOUCH_KEYS = [
    ("Esc", "Esc"),
    ("Tab", "Tab"),
    ("Ctrl", "Ctrl, for the next key"),
    ("←", "Left"),
    ("↑", "Up"),
    ("↓", "Down"),
    ("→", "Right"),
    ("⏎", "Enter"),
]
"""(key, label) of the keys that on-screen keyboards lack."""
MOST_CLOSED = 200
"""Maximum number of sessions that one request closes."""
SCREEN: dict[str, Any] = {"touch_keys": TOUCH_KEYS, "longest_paste": MAX_PASTED}


@require_GET
def terminals(request: HttpRequest) -> HttpResponse:
    """Show the list of sessions without opening one."""
    access.require(request.user)
    return _page(request, None)


@require_GET
def terminal(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Show a session; a link of the app can type a command into it, which the user then sends."""
    place = access.place_for(request.user, kind, pk)
    signed = request.GET.get(typed_commands.PARAMETER, "")
    return _page(request, place, typed_commands.command_in(signed, place.url, request.user))


def _page(request: HttpRequest, place: Place | None, typed: str = "") -> HttpResponse:
    context = {"nav": "terminals", "place": place, "typed": typed, **SCREEN}
    return with_own_styles(request, render(request, "terminal/terminal.html", context))


@require_GET
def pane(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the terminal for the lower pane of a task's page."""
    place = access.place_for(request.user, "task", pk)
    return render(request, "terminal/_screen.html", {"place": place, "pane": True, **SCREEN})


@require_GET
def history(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Return the saved output of a session, as bytes for xterm.js."""
    place = access.place_for(request.user, kind, pk)
    found = attempt(lambda: services.read_history(place))
    if isinstance(found, Refused):
        return text_answer(found)
    if found is None:
        raise Http404("This session has no saved history.")
    services.log(place, current_user(request), Visit.Kind.HISTORY, client=clients.of_request(request))
    response = HttpResponse(found.data, content_type="application/octet-stream")
    response["X-Saved-At"] = str(found.saved_at)
    return response


@require_POST
def close(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Save the history of a session and end it."""
    place = access.place_for(request.user, kind, pk)
    user, client = current_user(request), clients.of_request(request)

    def end() -> str:
        ended = services.close_session(place, user, client=client)
        jobs.index_soon(place.task)
        return "Session closed. Its history was saved." if ended else "The session was already closed."

    return answer(request, end, to=reverse("terminals"))


@require_POST
def close_finished(request: HttpRequest) -> HttpResponse:
    """Close the sessions of these tasks, as far as they are finished."""
    access.require(request.user)
    pks = [pk for word in request.POST.get("tasks", "").split() if (pk := whole_number(word)) is not None]
    places = [access.place_for(request.user, "task", pk) for pk in pks[:MOST_CLOSED]]
    user, client = current_user(request), clients.of_request(request)

    def end() -> str:
        finished = still_finished(places)
        closed = sum(services.close_session(place, user, client=client) for place in finished)
        for place in finished:
            jobs.index_soon(place.task)
        left = len(places) - len(finished)
        kept = f" {left} stayed open, because something runs there now." if left else ""
        return f"{closed} session{'' if closed == 1 else 's'} closed. The output was saved.{kept}"

    return answer(request, end, to=reverse("terminals"))
