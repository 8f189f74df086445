"""What Codex asks of its client: approvals, questions, forms and links of MCP servers, unknown requests."""

from __future__ import annotations

import json
from typing import Dict, List

from ...base.agent import RequestDecision
from ...base.consent import SAME_CALL, WideGrant
from ...base.elicitation import Elicitation, elicitation_event, reply_to
from ...base.titles import one_line
from ...base.unknown import unknown_event
from ...wire import Json, RequestEvent
from .events import CodexTranslator, request_event

ELICITATION = "mcpServer/elicitation/request"
APPROVAL = "mcp_tool_call"
"""`codex_approval_kind` of an elicitation in which Codex itself asks whether a server's tool may be used."""
FOR_MACHINES = {
    "item/tool/call": "it has registered no tools of its own",
    "account/chatgptAuthTokens/refresh": "it has given the CLI no login",
    "attestation/generate": "it can't attest anything",
}
"""Requests that no person can answer, and why an error is the right answer of this app to each.

The CLI sends them only to a client that has announced what they are about, which this app never does.
"""
NEVER_BUT_FORMS: Json = {
    "granular": {
        "sandbox_approval": False,
        "rules": False,
        "skill_approval": False,
        "request_permissions": False,
        "mcp_elicitations": True,
    }
}
"""The approval policy `never`, but for what only a person can answer: with `never`, Codex declines the forms
and links of MCP servers by itself. It asks about their tools then, too, which the mode allows."""
DECLINED = {"code": -32000, "message": "The user has declined this request."}
HINTS = (
    ("readOnlyHint", "only reads", "changes something"),
    ("destructiveHint", "may destroy something", "destroys nothing"),
    ("idempotentHint", "may be repeated safely", ""),
    ("openWorldHint", "reaches other systems", "stays on its own system"),
)
"""What a server says about a tool, in words for true and false."""
NAMED = ("codex_approval_kind", "persist", "tool_name", "tool_description", "tool_params", "tool_annotations")
"""Fields of an approval that have a place of their own."""


def asked_event(key: str, method: str, params: Json, translator: CodexTranslator) -> RequestEvent:
    """Convert a request of the CLI to a `request` event."""
    if is_tool_approval(method, params):
        return _tool_approval(key, params, translator)
    if method == ELICITATION:
        event = elicitation_event(key, _elicitation(params))
        if _meta(params):
            event["input"] = {**event.get("input", {}), "_meta": _meta(params)}
        return event
    return request_event(key, method, params, translator) or unknown_event(key, method, params)


def is_tool_approval(method: str, params: Json) -> bool:
    """Whether Codex asks if a tool of an MCP server may be used.

    Codex passes on what a server says about its own form, which may be the same, so that the words must be
    those of Codex, too: nothing else is gained with an approval of exactly them. Other words are a form.
    """
    meta = _meta(params)
    words = f'Allow the {params.get("serverName")} MCP server to run tool "{meta.get("tool_name")}"?'
    asks_nothing = not (params.get("requestedSchema") or {}).get("properties")
    is_approval = method == ELICITATION and meta.get("codex_approval_kind") == APPROVAL
    return is_approval and params.get("message") == words and asks_nothing


def _meta(params: Json) -> Json:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _elicitation(params: Json) -> Elicitation:
    return Elicitation(
        server=str(params.get("serverName") or "unnamed server"),
        message=str(params.get("message") or ""),
        mode=params.get("mode"),
        schema=params.get("requestedSchema"),
        url=params.get("url"),
    )


def _tool_approval(key: str, params: Json, translator: CodexTranslator) -> RequestEvent:
    meta, server = _meta(params), str(params.get("serverName"))
    tool = f"{server}.{meta.get('tool_name')}"
    given = _arguments(meta, server, translator)
    title = one_line(f"{tool}: {json.dumps(given, ensure_ascii=False)}") if given else tool
    return {
        "kind": "request",
        "id": key,
        "request_kind": "approval",
        "tool": tool,
        "title": title,
        "input": given,
        "server": server,
        "description": str(meta.get("tool_description") or "") or None,
        "reason": _reason(params, meta),
        "can_edit": False,
        "can_allow_for_run": True,
        "words": {"run": SAME_CALL.format(tool=tool)},
        "grants": [grant.as_event() for grant in grants_of(params)],
    }


def _arguments(meta: Json, server: str, translator: CodexTranslator) -> Json:
    """Return what the tool is called with: as the request says, else as the call itself does."""
    given = meta.get("tool_params")
    if given is None:
        calls = [
            item
            for item in translator.items.values()
            if item.get("server") == server and item.get("tool") == meta.get("tool_name")
        ]
        given = calls[-1].get("arguments") if calls else None
    shown = given if isinstance(given, dict) else {} if given is None else {"arguments": given}
    others = {name: value for name, value in meta.items() if name not in (*NAMED, "tool_params_display")}
    return {**shown, **{f"({name})": value for name, value in others.items() if value is not None}}


def _reason(params: Json, meta: Json) -> str:
    hints = meta.get("tool_annotations")
    said = [
        yes if hints[name] else no
        for name, yes, no in HINTS
        if isinstance(hints, dict) and isinstance(hints.get(name), bool)
    ]
    about = f"The server says about the tool that it {', '.join(filter(None, said))}." if any(said) else ""
    return " ".join(filter(None, (str(params.get("message") or ""), about)))


def grants_of(params: Json) -> List[WideGrant]:
    """Return what the CLI suggests to allow for the session. Never `always`: it would outlast the run."""
    meta = _meta(params)
    if not isinstance(meta.get("persist"), list) or "session" not in meta["persist"]:
        return []
    tool = f"`{meta.get('tool_name')}` of the MCP server `{params.get('serverName')}`"
    update = {"persist": "session", "tool": meta.get("tool_name"), "server": params.get("serverName")}
    return [WideGrant(f"Allow every call of the tool {tool}, with any input, for this run", update)]


def refusal_for(method: str) -> Json:
    """Return the error in answer to a request that is only for machines."""
    return {"code": -32601, "message": f"This app can't answer {method}: {FOR_MACHINES[method]}."}


def reply_of(kind: str, params: Json, decision: RequestDecision) -> Dict[str, Json]:
    """Return {"result"} or {"error"}, the answer to a request of kind `form`, `link` or `unknown`."""
    if kind != "unknown":
        cancel = decision.cancel or decision.interrupt
        content = (decision.content or {}) if params.get("mode") != "url" else None
        return {"result": {"content": None, **reply_to(decision.allow, cancel, content), "_meta": None}}
    if decision.allow:
        return {"result": decision.content or {}}
    return {"error": {**DECLINED, **({"message": decision.text} if decision.text else {})}}
