"""Plan mode of Codex: its turn ends with a plan, and nobody is asked.

So the run waits here for the user, and the decision starts the next turn. Codex's own plan mode does not stop
commands that write, hence the sandbox is read-only until then.
"""

from __future__ import annotations

from typing import Optional

from ...base.modes import PLAN
from ...base.plans import plan_event
from ...wire import Json, RequestEvent

METHOD = "aitask/plan"
"""In place of the CLI's method in what is kept of a request: this one is ours."""
TOOL = "plan"
IMPLEMENT = "The plan is approved. Implement it."
IMPLEMENT_EDITED = "The plan is approved with changes. Implement this version of it:\n\n{}"


class PlanKeeper:
    """The plan of the current turn, and the CLI's mode, which stays until another one is sent."""

    def __init__(self, session: Optional[str]) -> None:
        self._plan = ""
        self._number = 0
        self._may_be_planning = bool(session)

    def note(self, item: Json) -> None:
        """Keep the text of a plan item. The last one of a turn counts."""
        self._plan = str(item.get("text") or "") or self._plan

    def take(self) -> str:
        """Return the plan of the turn that has ended; empty if there is none."""
        plan, self._plan = self._plan, ""
        return plan

    def request(self, plan: str) -> RequestEvent:
        self._number += 1
        return plan_event(f"plan-{self._number}", TOOL, {"plan": plan})

    def collaboration(self, mode: str, model: str, effort: Optional[str]) -> Json:
        """Return the parameters of a turn that switch the CLI's plan mode on or off, if they are needed."""
        if mode != PLAN and not self._may_be_planning:
            return {}
        self._may_be_planning = mode == PLAN
        settings = {"model": model, "reasoning_effort": effort, "developer_instructions": None}
        return {"collaborationMode": {"mode": "plan" if mode == PLAN else "default", "settings": settings}}


def words_of_approval(edited: Optional[str]) -> str:
    """Return what the agent is told. `edited` is the plan if the user has changed it."""
    return IMPLEMENT if edited is None else IMPLEMENT_EDITED.format(edited)
