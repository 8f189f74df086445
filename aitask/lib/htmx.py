"""How a view answers htmx and a plain form alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from aitask.lib.errors import Refused


def is_partial(request: HttpRequest) -> bool:
    """Whether the page asks for a part of itself."""
    return request.headers.get("HX-Request") == "true"


def done(request: HttpRequest, text: str = "", *, to: str, stay: bool = True) -> HttpResponse:
    """A verb has worked: say so and let the page refresh itself, or go to `to` (also without JavaScript)."""
    if is_partial(request) and stay:
        toast = {"toast": {"text": text, "kind": "good"}} if text else {}
        return trigger(HttpResponse(status=204), {"changed": {}, **toast})
    if text:
        messages.success(request, text)
    if is_partial(request):
        return HttpResponse(status=204, headers={"HX-Redirect": to})
    return redirect(to)


def answer(
    request: HttpRequest, verb: Callable[[], object], said: str = "", *, to: str, go: str = ""
) -> HttpResponse:
    """Carry out a verb and say so, or say why not; on the page at `to`, or `go` there when it has worked.

    What a verb returns is said instead of `said` when it is a text.
    """
    try:
        words = verb()
    except Refused as error:
        return refused(request, error.reason, error.hint, to=to)
    except ValidationError as error:
        return refused(request, sentence(error), to=to)
    return done(request, words if isinstance(words, str) else said, to=go or to, stay=not go)


def refused(request: HttpRequest, reason: str, hint: str = "", *, to: str) -> HttpResponse:
    """A verb can't be done now: nothing was changed, and the person reads why (status 409)."""
    if is_partial(request):
        toast = {"text": reason, "hint": hint, "kind": "failed"}
        return trigger(HttpResponse(status=409), {"changed": {}, "toast": toast})
    messages.error(request, f"{reason} {hint}".strip())
    return redirect(to)


def trigger(response: HttpResponse, events: dict[str, Any]) -> HttpResponse:
    """Make the page fire these events once the answer has arrived."""
    response["HX-Trigger"] = json.dumps(events)
    return response


def sentence(error: ValidationError) -> str:
    """All that is wrong, in one text."""
    return " ".join(error.messages)
