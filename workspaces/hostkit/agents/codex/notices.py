"""Notifications of Codex about what its automatic review has decided."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from ...base.titles import one_line, plain_command
from ...wire import DENIED, Json, NoticeEvent

REPEATED = "Automatic approval review "
"""Beginning of warnings that say the same as the review itself."""


def review_handlers(emit: Callable[[NoticeEvent], None]) -> Dict[str, Callable[[Json], None]]:
    """Return handlers of the notifications about automatic reviews, which record what users are told."""

    def told(build: Callable[[Json], Optional[NoticeEvent]]) -> Callable[[Json], None]:
        def handle(params: Json) -> None:
            notice = build(params)
            if notice:
                emit(notice)

        return handle

    return {
        "item/autoApprovalReview/completed": told(_review_notice),
        "guardianWarning": told(_warning_notice),
    }


def _review_notice(params: Json) -> Optional[NoticeEvent]:
    """Return what an automatic review has decided, and why; None while it is going on."""
    review = params.get("review") or {}
    status = str(review.get("status"))
    if status in ("inProgress", "None"):
        return None
    details = {"risk": review.get("riskLevel"), "authorization": review.get("userAuthorization")}
    words = ", ".join(f"{name}: {value}" for name, value in details.items() if value)
    what, why = _action(params.get("action") or {}), review.get("rationale") or "no reason was given"
    text = f"Codex's automatic review {status} {what}{f' ({words})' if words else ''}: {why}"
    notice: NoticeEvent = {"kind": "notice", "text": text}
    if status != "approved":
        notice["code"] = DENIED
    return notice


def _warning_notice(params: Json) -> Optional[NoticeEvent]:
    """Return a warning of the guardian; None if a review says the same."""
    text = str(params.get("message") or "")
    return None if text.startswith(REPEATED) else {"kind": "notice", "text": text, "code": DENIED}


def _action(action: Json) -> str:
    if action.get("command"):
        return f"`{one_line(plain_command(str(action['command'])))}`"
    named = [
        str(action[name])
        for name in ("server", "tool", "toolName", "path", "host", "url")
        if action.get(name)
    ]
    return " ".join([str(action.get("type") or "an action"), *named])
