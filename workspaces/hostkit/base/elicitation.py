"""Questions of MCP servers to the user: forms to fill in, and links to open."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..wire import Json, RequestEvent
from .forms import NotAForm, fields_of
from .submission import RAW_SCHEMA
from .titles import one_line

FORM_MODES = (None, "", "form", "openai/form", "openaiForm")
MAX_URL = 8 * 1024
"""Characters of an address. A longer one can't be shown as a whole."""


class Elicitation(NamedTuple):
    """What a server asks, whichever CLI has passed it on."""

    server: str
    message: str
    mode: object = None
    schema: object = None
    order: object = None
    url: object = None
    description: Optional[str] = None


def elicitation_event(key: str, asked: Elicitation) -> RequestEvent:
    """Return the request of kind `form` or `link`.

    What can't be shown as such has its raw input, and no `schema` or `url`: such a form is answered as JSON,
    and such a link can only be declined or cancelled.
    """
    is_link = asked.mode not in FORM_MODES
    event: RequestEvent = {
        "kind": "request",
        "id": key,
        "request_kind": "link" if is_link else "form",
        "tool": "elicitation",
        "title": one_line(f"{asked.server}: {asked.message}"),
        "server": asked.server,
        "message": asked.message,
        "description": asked.description,
        "can_edit": False,
        "can_allow_for_run": False,
    }
    if is_link:
        _add_url(event, asked)
    else:
        _add_schema(event, asked)
    return event


def _add_url(event: RequestEvent, asked: Elicitation) -> None:
    if asked.mode == "url" and isinstance(asked.url, str) and 0 < len(asked.url) <= MAX_URL:
        event["url"] = asked.url
        return
    event["input"] = {"mode": asked.mode, "url": asked.url}
    event["reason"] = "This can't be shown: it is neither a form nor an address of a usual length."


def _add_schema(event: RequestEvent, asked: Elicitation) -> None:
    schema = {"type": "object", "properties": {}} if asked.schema is None else asked.schema
    try:
        fields = fields_of(schema, asked.order)
    except NotAForm as why:
        event["input"] = {RAW_SCHEMA: asked.schema}
        event["reason"] = f"This can't be shown as a form: {why}. It is answered as JSON."
        return
    assert isinstance(schema, dict)
    event["schema"] = schema
    event["order"] = [field.name for field in fields]


def reply_to(allow: bool, cancel: bool, content: Optional[Json]) -> Json:
    """Return the answer in MCP's words: accept (with what was filled in), decline, or cancel."""
    if allow:
        return {"action": "accept", **({} if content is None else {"content": content})}
    return {"action": "cancel" if cancel else "decline"}
