"""What a CLI asks that hostkit does not know: shown as it is, and answered by a person."""

from __future__ import annotations

from ..wire import Json, RequestEvent
from .titles import one_line


def unknown_event(key: str, name: str, given: Json) -> RequestEvent:
    """Return a request of kind `unknown` with all that the CLI has sent. `name` is what the CLI calls it."""
    return {
        "kind": "request",
        "id": key,
        "request_kind": "unknown",
        "tool": name,
        "title": one_line(name),
        "input": given,
        "can_edit": False,
        "can_allow_for_run": False,
    }


def as_object(given: object, name: str) -> Json:
    """Return what a CLI has sent with a request. What is no object becomes the field `name` of one."""
    if given is None:
        return {}
    return given if isinstance(given, dict) else {name: given}
