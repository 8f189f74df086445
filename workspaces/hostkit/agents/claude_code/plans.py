"""The plan that Claude Code asks about.

It asks with the content of the plan's file. If the model has written none, its plan is only in its call.
"""

from __future__ import annotations

from typing import Dict

from ...wire import Json

TOOL = "ExitPlanMode"


class ProposedPlans:
    """The plans in calls of the tool whose requests have not come yet, by the id of the call."""

    def __init__(self) -> None:
        self._plans: Dict[str, str] = {}

    def note(self, line: Json) -> None:
        """Remember the plans in a line of the model."""
        for block in line["message"].get("content") or []:
            if block.get("name") == TOOL and isinstance((block.get("input") or {}).get("plan"), str):
                self._plans[str(block.get("id"))] = block["input"]["plan"]

    def filled(self, request: Json) -> Json:
        """Return the request with the plan of its call, if it comes without one."""
        plan = self._plans.pop(str(request.get("tool_use_id")), "")
        given = request.get("input") or {}
        if request.get("tool_name") != TOOL or not isinstance(given, dict) or given.get("plan") or not plan:
            return request
        return {**request, "input": {**given, "plan": plan}}
