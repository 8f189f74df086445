"""The requests of Codex that a user decides about, and its answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...base.agent import PendingMessage, RequestDecision
from ...base.consent import picked
from ...base.partial import MALFORMED
from ...base.unknown import as_object, unknown_event
from ...wire import Json, RequestEvent
from .asked import FOR_MACHINES, asked_event, grants_of, refusal_for, reply_of
from .calls import CodexCalls
from .plan import METHOD
from .protocol import decision_of, listed

if TYPE_CHECKING:
    from .agent import Codex


class CodexDecisions:
    """Opens requests, and tells the CLI what the user has decided."""

    def __init__(self, agent: "Codex", calls: CodexCalls) -> None:
        self._agent = agent
        self._calls = calls

    def ask(self, key: str, method: str, given: object) -> None:
        """Ask the user what the CLI wants to know, unless the run's mode or a program has the answer."""
        if method in FOR_MACHINES:
            error = refusal_for(method)
            self._calls.refuse(key, error)
            self._agent.host.emit({"kind": "notice", "text": error["message"]})
            return
        params = as_object(given, "params")
        event = self._event(key, method, params)
        private = {"method": method, "params": params}
        if self._agent.mode == "full" and event["request_kind"] == "approval":
            self.allow(key, private)
        else:
            self._agent.open_request(event, private)

    def _event(self, key: str, method: str, params: Json) -> RequestEvent:
        try:
            return asked_event(key, method, params, self._agent.translator)
        except MALFORMED:  # a new version asks it in other words
            return unknown_event(key, method, params)

    def withdraw_all(self, thread: Optional[str]) -> None:
        """Close what a turn of this thread has left open: after an interrupt, the CLI does not say so."""
        for key, request in list(self._agent.requests.items()):
            if request.private["params"].get("threadId") in (None, thread):
                self._agent.close_request(key, "withdrawn", "agent")

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        request = self._agent.requests[key]
        method, params = request.private["method"], request.private["params"]
        kind = request.event["request_kind"]
        if kind == "question":
            self._answer_questions(key, decision, by)
        elif method == METHOD:
            self._agent.plans.decide(key, decision, by)
        elif kind != "approval":
            self._calls.answer(key, reply_of(kind, params, decision))
            self._agent.close_other(key, decision, by)
        elif decision.allow:
            self._allow(key, decision, by)
        else:
            self._deny(key, decision, by)

    def _allow(self, key: str, decision: RequestDecision, by: str) -> None:
        private = self._agent.requests[key].private
        if decision.grant:
            grant = picked(grants_of(private["params"]), decision.grant)
            accepted = {"action": "accept", "content": {}, "_meta": {"persist": grant.update["persist"]}}
            self._calls.respond(key, accepted)
            self._agent.close_request(key, "allow_for_run", by, grant.text)
            return
        for_run = decision.scope == "run"
        if for_run:
            self._agent.allow_call(key)
        self.allow(key, private)
        self._agent.close_request(key, "allow_for_run" if for_run else "allow", by)

    def _deny(self, key: str, decision: RequestDecision, by: str) -> None:
        private = self._agent.requests[key].private
        reply = "cancel" if decision.interrupt else "decline"
        self._calls.respond(key, decision_of(private["method"], private["params"], reply))
        self._agent.close_request(key, "deny", by, decision.text)
        if decision.text and not decision.interrupt:
            self._agent.say(PendingMessage(decision.text, by), "now", lambda _answer: None)

    def allow(self, key: str, private: Json) -> None:
        """Allow this call alone: `acceptForSession` would cover each later change of the same files."""
        self._calls.respond(key, decision_of(private["method"], private["params"], "accept"))

    def allow_all(self) -> None:
        """Allow the approvals that are open, because the run may do everything now."""
        for key, request in list(self._agent.requests.items()):
            if request.event["request_kind"] == "approval":
                self.allow(key, request.private)
                self._agent.close_request(key, "allow", "mode")

    def _answer_questions(self, key: str, decision: RequestDecision, by: str) -> None:
        given = decision.answers or {}
        if not decision.allow:
            questions = self._agent.requests[key].private["params"].get("questions") or []
            given = {question["id"]: decision.text or "No answer." for question in questions}
        answers = {name: {"answers": listed(value)} for name, value in given.items()}
        self._calls.respond(key, {"answers": answers})
        self._agent.close_request(key, "allow" if decision.allow else "deny", by, decision.text)
