"""What a request says of who opens a preview, and where."""

from __future__ import annotations

from django.http import HttpRequest

from aitask.lib.text import whole_number
from tasks.previews.grants import Opener
from workspaces.access import current_user


def opener_of(request: HttpRequest) -> Opener:
    """Return who sends the request, and what ends when they log out."""
    token = getattr(request, "api_token", None)
    if token is not None:
        return Opener(current_user(request), api_token=token)
    return Opener(current_user(request), session_key=request.session.session_key or "")


def port_of_app(request: HttpRequest) -> int | None:
    """Return the port on which the app listens, whatever the browser has asked for."""
    return whole_number(str(request.META.get("SERVER_PORT", "")))
