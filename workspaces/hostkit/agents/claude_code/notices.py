"""Lines of Claude Code about what it has done by itself: denied a tool call, kept a message out."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from ...base.titles import one_line
from ...wire import DENIED, PEER_MESSAGE, Json, NoticeEvent

HELD = {
    "held": "is held back: it does not reach the agent",
    "released": "was released: the agent gets it",
    "dropped": "was dropped: the agent does not get it",
}


def _denied(line: Json) -> NoticeEvent:
    reason = str(line.get("decision_reason") or "")
    message = str(line.get("message") or "")
    words = message if reason in message else ": ".join(filter(None, (reason, message)))
    kind = line.get("decision_reason_type")
    by = f" ({kind})" if kind else ""
    text = f"Claude Code denied {line.get('tool_name')}{by}: {words or 'no reason was given'}"
    return {"kind": "notice", "text": text, "code": DENIED}


def _held(line: Json) -> NoticeEvent:
    state = HELD.get(str(line.get("state")), str(line.get("state")))
    sender = one_line(str(line.get("from_name") or line.get("from") or "another session"))
    given = [str(line[name]) for name in ("cause", "outcome", "reason") if line.get(name)]
    why = ", ".join(dict.fromkeys(given))
    text = f"A message of another Claude session ({sender}) {state}" + (f" ({why})" if why else "")
    return {"kind": "notice", "text": text, "code": PEER_MESSAGE}


def _informed(line: Json) -> NoticeEvent:
    """What the CLI tells its user, such as that another session has refused a message."""
    text = str(line.get("content") or "")
    notice: NoticeEvent = {"kind": "notice", "text": text}
    if text.startswith("Cross-session"):
        notice["code"] = PEER_MESSAGE
    return notice


NOTICES: Dict[str, Callable[[Json], NoticeEvent]] = {
    "permission_denied": _denied,
    "peer_message_hold": _held,
    "informational": _informed,
}
"""What a `system` line of each subtype tells the user."""


def peer_notice(line: Json) -> Optional[NoticeEvent]:
    """Return the notice of a message that another session has sent; None for each other line of a user."""
    origin = line.get("origin")
    if not isinstance(origin, dict) or origin.get("kind") != "peer":
        return None
    name = one_line(str(origin.get("name") or origin.get("from") or "without a name"))
    text = f"Another Claude session ({name}) sent a message: {origin.get('body') or ''}"
    return {"kind": "notice", "text": text, "code": PEER_MESSAGE}
