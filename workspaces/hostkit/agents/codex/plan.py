"""Plan mode of Codex: its turn ends with a plan, and nobody is asked.

So the run waits here for the user, and the decision starts the next turn. Codex's own plan mode does not stop
commands that write, hence the sandbox is read-only until then (`sandbox.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...base.agent import RequestDecision
from ...base.modes import PLAN
from ...base.plans import SENT_BACK, closing_facts, plan_event
from ...wire import Json

if TYPE_CHECKING:
    from .agent import Codex

METHOD = "aitask/plan"
"""In place of the CLI's method in what is kept of a request: this one is ours."""
TOOL = "plan"
IMPLEMENT = "The plan is approved. Implement it."
IMPLEMENT_EDITED = "The plan is approved with changes. Implement this version of it:\n\n{}"


class CodexPlans:
    """The plan of the current turn, the request about it, and the CLI's mode, which stays until changed."""

    def __init__(self, agent: "Codex") -> None:
        self._agent = agent
        self._plan = ""
        self._number = 0
        self._may_be_planning = bool(agent.spec.get("resume"))

    def collaboration(self, model: str, effort: Optional[str]) -> Json:
        """Return the parameters of a turn that switch the CLI's plan mode on or off, if they are needed."""
        is_planning = self._agent.mode == PLAN
        if not is_planning and not self._may_be_planning:
            return {}
        self._may_be_planning = is_planning
        settings = {"model": model, "reasoning_effort": effort, "developer_instructions": None}
        return {"collaborationMode": {"mode": "plan" if is_planning else "default", "settings": settings}}

    def note(self, item: Json) -> bool:
        """Keep the text of a plan in plan mode; the last one of a turn counts. Return whether it is one."""
        if item["type"] != "plan" or self._agent.mode != PLAN:
            return False
        self._plan = str(item.get("text") or "") or self._plan
        return True

    def propose(self, *, is_complete: bool) -> None:
        """Ask the user about the plan that the turn has ended with. Messages wait until it is decided."""
        plan, self._plan = self._plan, ""
        if plan and is_complete:
            self._number += 1
            event = plan_event(f"plan-{self._number}", TOOL, {"plan": plan})
            self._agent.open_request(event, {"method": METHOD, "params": {"threadId": self._agent.session}})
        elif plan:
            self._agent.host.emit({"kind": "text", "text": plan})

    @property
    def open(self) -> Optional[str]:
        """The id of the plan that waits for the user, if there is one."""
        requests = self._agent.requests.items()
        return next((key for key, each in requests if each.private.get("method") == METHOD), None)

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        """Start a turn that implements the plan in the mode that the user has picked, or revises it."""
        agent = self._agent
        if decision.allow:
            facts = closing_facts(agent.requests[key].event, decision.mode, decision.input)
            agent.mode = decision.mode or agent.mode
            edited = facts["edited_plan"]
            words = IMPLEMENT if edited is None else IMPLEMENT_EDITED.format(edited)
            agent.close_request(key, "allow", by, facts=facts)
        else:
            words = decision.text or SENT_BACK
            agent.close_request(key, "deny", by, decision.text)
        agent.go_on("" if decision.interrupt else words, by)

    def withdraw(self) -> bool:
        """Withdraw the plan that waits, if there is one. Return whether there was."""
        key = self.open
        if key is not None:
            self._agent.close_request(key, "withdrawn", "agent")
        return key is not None
