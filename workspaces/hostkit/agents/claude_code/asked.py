"""What Claude Code asks of its host, besides whether it may use a tool."""

from __future__ import annotations

from ...base.agent import RequestDecision
from ...base.elicitation import Elicitation, elicitation_event, reply_to
from ...base.unknown import unknown_event
from ...wire import Json, RequestEvent
from .events import request_event

FOR_MACHINES = {
    "hook_callback": "it has registered no hooks",
    "mcp_message": "it has registered no MCP servers of its own",
    "oauth_token_refresh": "it has given the CLI no login",
    "host_auth_token_refresh": "it has given the CLI no login",
}
"""Requests that no person can answer, and why an error is the right answer of this app to each.

The CLI sends them only to a host that has announced what they are about, which this app never does.
"""
USER_TOOLS = ("AskUserQuestion", "ExitPlanMode")
"""Tools whose requests need an answer of the user in every permission mode."""
DECLINED = "The user has declined this request."


def asked_event(key: str, request: Json, worktree: str) -> RequestEvent:
    """Convert a control request of the CLI to a `request` event."""
    subtype = request.get("subtype")
    if subtype == "can_use_tool":
        return request_event(key, request, worktree)
    if subtype == "elicitation":
        return elicitation_event(key, _elicitation(request))
    return unknown_event(key, str(subtype), request)


def _elicitation(request: Json) -> Elicitation:
    words = [request.get(name) for name in ("title", "description")]
    return Elicitation(
        server=str(request.get("mcp_server_name") or "unnamed server"),
        message=str(request.get("message") or ""),
        mode=request.get("mode"),
        schema=request.get("requested_schema"),
        order=request.get("property_order"),
        url=request.get("url"),
        description=": ".join(str(word) for word in words if word) or None,
    )


def needs_person(request: Json) -> bool:
    """Whether only a person may answer, in every permission mode."""
    is_tool = request.get("subtype") == "can_use_tool"
    marked = request.get("requires_user_interaction") is True
    return not is_tool or marked or request.get("tool_name") in USER_TOOLS


def refusal_for(subtype: str) -> Json:
    """Return the answer to a request that is only for machines."""
    return {"subtype": "error", "error": f"This app can't answer {subtype}: {FOR_MACHINES[subtype]}."}


def reply_of(kind: str, request: Json, decision: RequestDecision) -> Json:
    """Return the answer to a request of kind `form`, `link` or `unknown`."""
    if kind != "unknown":
        content = decision.content if request.get("mode") != "url" else None
        reply = reply_to(decision.allow, decision.cancel or decision.interrupt, content)
        return {"subtype": "success", "response": reply}
    if decision.allow:
        return {"subtype": "success", "response": decision.content or {}}
    return {"subtype": "error", "error": decision.text or DECLINED}
