"""The terminal's pages: a session with the sidebar of all, what is left of a session, and closing one."""

from __future__ import annotations

from typing import cast

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import answer, attempt, text_answer
from aitask.lib.errors import Refused
from terminal import access, services
from terminal.models import Visit
from terminal.places import Place
from workspaces.access import person

# xterm.js writes its own style sheet, whose size and colours depend on the font; it gets the page's nonce.
STYLES = {"style-src": [SELF, NONCE]}
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
"""What keyboards of phones lack."""


@require_GET
def terminals(request: HttpRequest) -> HttpResponse:
    """All sessions, none of them open."""
    if not access.may_use(request.user):
        raise PermissionDenied("You may not use terminals: an administrator can give you the permission.")
    return _page(request, None)


@require_GET
def terminal(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """One session."""
    return _page(request, access.place_for(request.user, kind, pk))


def _page(request: HttpRequest, place: Place | None) -> HttpResponse:
    context = {"nav": "terminals", "place": place, "touch_keys": TOUCH_KEYS}
    page = csp_update(STYLES)(lambda asked: render(asked, "terminal/terminal.html", context))
    return cast(HttpResponse, page(request))


@require_GET
def history(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """What a session that is gone had shown, for the page to paint."""
    place = access.place_for(request.user, kind, pk)
    found = attempt(lambda: services.read_history(place))
    if isinstance(found, Refused):
        return text_answer(found)
    if found is None:
        raise Http404("Nothing was kept of this session.")
    services.log(place, person(request), Visit.Kind.HISTORY, client=_client(request))
    response = HttpResponse(found.data, content_type="application/octet-stream")
    response["X-Saved-At"] = str(found.saved_at)
    return response


@require_POST
def close(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """End a session, its history saved."""
    place = access.place_for(request.user, kind, pk)
    user, client = person(request), _client(request)

    def end() -> str:
        ended = services.close_session(place, user, client=client)
        return "Closed; its history is kept." if ended else "It was closed already."

    return answer(request, end, to=reverse("terminals"))


def _client(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
