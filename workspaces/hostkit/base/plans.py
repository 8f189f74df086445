"""Plans that an agent proposes: they are approved, as they are or changed, or sent back."""

from __future__ import annotations

from typing import Mapping, Optional

from ..wire import Json, RequestEvent
from .modes import PLAN
from .titles import one_line

SENT_BACK = "The plan was not approved. Revise it, or ask what to change."
"""What the agent is told if the user says nothing."""
NOT_A_PLAN = "of a plan, only its text can be changed, and it can't be empty"


def plan_event(key: str, tool: str, tool_input: Json) -> RequestEvent:
    """Return the request to approve the plan in `tool_input["plan"]`, which users may edit."""
    plan = str(tool_input.get("plan") or "")
    return {
        "kind": "request",
        "id": key,
        "request_kind": "plan",
        "tool": tool,
        "title": title_of(plan),
        "input": tool_input,
        "plan": plan,
        "can_edit": True,
        "can_allow_for_run": False,
    }


def title_of(plan: str) -> str:
    """Return that it is a plan, and its first line with text, without the marks of a heading."""
    lines = (line.strip("#*- \t") for line in plan.splitlines())
    return one_line(": ".join(["Plan", *[line for line in lines if line][:1]]))


def edited_plan(event: RequestEvent, tool_input: Optional[Json]) -> Optional[str]:
    """Return the text of the plan if the user has changed it."""
    plan = None if tool_input is None else str(tool_input["plan"])
    return None if plan == event.get("plan") else plan


def approval_problem(request: RequestEvent, mode: Optional[str], tool_input: object) -> str:
    """Return why this plan can't be approved like this, or an empty string."""
    if mode == PLAN:
        return "a plan is approved into a mode in which the agent can work: ask, edits or full"
    if tool_input is None:
        return ""
    if not isinstance(tool_input, dict) or not str(tool_input.get("plan") or "").strip():
        return NOT_A_PLAN
    asked = request.get("input") or {}
    is_text = isinstance(tool_input["plan"], str)
    return "" if is_text and _others(tool_input) == _others(asked) else NOT_A_PLAN


def _others(tool_input: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in tool_input.items() if name != "plan"}


def closing_facts(event: RequestEvent, mode: Optional[str], tool_input: Optional[Json]) -> Json:
    """Return what the event of an approved plan says about it. Empty for other requests."""
    if event["request_kind"] != "plan":
        return {}
    return {"permission_mode": mode, "edited_plan": edited_plan(event, tool_input)}
