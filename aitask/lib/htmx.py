"""Responses that work for htmx requests and plain forms."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails


def is_partial(request: HttpRequest) -> bool:
    """Return whether the request was sent by htmx or `send.js`, so that the page stays open."""
    details: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(details)


def done(request: HttpRequest, text: str = "", *, to: str, stay: bool = True) -> HttpResponse:
    """Confirm a success: let the page refresh itself, or redirect to `to` (always without JavaScript)."""
    if is_partial(request) and stay:
        response = trigger_client_event(HttpResponse(status=204), "changed")
        return trigger_client_event(response, "toast", {"text": text, "kind": "good"}) if text else response
    if text:
        messages.success(request, text)
    if is_partial(request):
        return HttpResponseClientRedirect(to, status=204)
    return redirect(to)


def refused(request: HttpRequest, reason: str, hint: str = "", *, to: str) -> HttpResponse:
    """Show why something was refused and not changed (status 409)."""
    if is_partial(request):
        response = trigger_client_event(HttpResponse(status=409), "changed")
        return trigger_client_event(response, "toast", {"text": reason, "hint": hint, "kind": "failed"})
    messages.error(request, f"{reason} {hint}".strip())
    return redirect(to)
