"""How a view answers htmx and a plain form alike."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


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
