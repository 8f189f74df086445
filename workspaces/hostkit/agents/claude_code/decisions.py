"""The requests of Claude Code that a user decides about, and its answers to them."""

from __future__ import annotations

from typing import List, Optional, Union

from ...base.agent import Agent, RequestDecision
from ...base.consent import picked
from ...base.partial import MALFORMED
from ...base.plans import SENT_BACK, closing_facts
from ...base.unknown import as_object, unknown_event
from ...wire import Json, RequestEvent
from .asked import FOR_MACHINES, asked_event, needs_person, refusal_for, reply_of
from .calls import ClaudeCalls
from .grants import grants_of
from .plans import ProposedPlans
from .starting import MODES

DENIED = "The user denied this. Ask what to do instead, or continue without it."


class ClaudeDecisions:
    """Opens requests, and tells the CLI what the user has decided."""

    def __init__(self, agent: Agent, calls: ClaudeCalls, plans: ProposedPlans, worktree: str) -> None:
        self._agent = agent
        self._calls = calls
        self._plans = plans
        self._worktree = worktree

    def ask(self, line: Json) -> None:
        """Ask the user what the CLI wants to know, unless the run's mode or a program has the answer."""
        key = str(line["request_id"])
        request = self._plans.filled(as_object(line.get("request"), "request"))
        subtype = str(request.get("subtype"))
        if subtype in FOR_MACHINES:
            refused = refusal_for(subtype)
            self._calls.respond(key, refused)
            self._agent.host.emit({"kind": "notice", "text": refused["error"]})
        elif self._agent.mode == "full" and not needs_person(request):
            self.allow(key, request)
        else:
            self._agent.open_request(self._event(key, request), request)

    def _event(self, key: str, request: Json) -> RequestEvent:
        try:
            return asked_event(key, request, self._worktree)
        except MALFORMED:  # a new version asks it in other words
            return unknown_event(key, str(request.get("tool_name") or request.get("subtype")), request)

    def withdraw(self, line: Json) -> None:
        """Close a request that the CLI has withdrawn."""
        self._agent.close_request(str(line["request_id"]), "withdrawn", "agent")

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        request, kind = self._agent.requests[key].private, self._agent.requests[key].event["request_kind"]
        if kind in ("form", "link", "unknown"):
            self._calls.respond(key, reply_of(kind, request, decision))
            self._agent.close_other(key, decision, by)
            return
        if not decision.allow:
            self._deny(key, decision)
            self._agent.close_request(key, "deny", by, decision.text)
            return
        tool_input = dict((request.get("input") or {}) if decision.input is None else decision.input)
        if decision.answers is not None:
            tool_input["answers"] = {name: _joined(value) for name, value in decision.answers.items()}
        if decision.grant:
            grant = picked(grants_of(request), decision.grant)
            self._allow(key, tool_input, [grant.update])
            self._agent.close_request(key, "allow_for_run", by, grant.text)
            return
        for_run = decision.scope == "run" and decision.input is None
        if for_run:
            self._agent.allow_call(key)
        facts = closing_facts(self._agent.requests[key].event, decision.mode, decision.input)
        self._allow(key, tool_input, self._mode_update(request, decision.mode))
        self._agent.close_request(key, "allow_for_run" if for_run else "allow", by, facts=facts)

    def allow(self, key: str, private: Json) -> None:
        self._allow(key, private.get("input") or {}, [])

    def allow_all(self) -> None:
        """Allow what is open and needs no person, because the run may do everything now."""
        for key, request in list(self._agent.requests.items()):
            if request.event["request_kind"] != "unknown" and not needs_person(request.private):
                self.allow(key, request.private)
                self._agent.close_request(key, "allow", "mode")

    def _allow(self, key: str, tool_input: Json, permissions: List[Json]) -> None:
        body: Json = {"behavior": "allow", "updatedInput": tool_input}
        if permissions:
            body["updatedPermissions"] = permissions
        self._calls.respond(key, {"subtype": "success", "response": body})

    def _deny(self, key: str, decision: RequestDecision) -> None:
        is_plan = self._agent.requests[key].event["request_kind"] == "plan"
        default = SENT_BACK if is_plan else DENIED
        body: Json = {"behavior": "deny", "message": decision.text or default}
        if decision.interrupt:
            body["interrupt"] = True
        self._calls.respond(key, {"subtype": "success", "response": body})

    def _mode_update(self, request: Json, mode: Optional[str]) -> List[Json]:
        """Return the update for a mode that the user has picked; a plan that is approved ends its own."""
        if request.get("tool_name") != "ExitPlanMode" and not mode:
            return []
        self._agent.mode = mode or self._agent.mode
        return [{"type": "setMode", "mode": MODES[self._agent.mode], "destination": "session"}]


def _joined(value: Union[str, List[str]]) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
