"""Control requests to Claude Code and its responses to them, and responses to its own requests."""

from __future__ import annotations

import uuid
from typing import Callable, Dict

from ...base.agent import OK, AgentHost, Answer, refusal
from ...wire import Json

Reply = Callable[[Json], None]


class ClaudeCalls:
    """The control requests that the CLI has not answered yet."""

    def __init__(self, host: AgentHost) -> None:
        self._host = host
        self._replies: Dict[str, Reply] = {}

    @property
    def is_waiting(self) -> bool:
        return bool(self._replies)

    def call(self, request: Json, reply: Reply) -> None:
        key = "host-" + str(uuid.uuid4())
        self._replies[key] = reply
        self._host.send({"type": "control_request", "request_id": key, "request": request})

    def call_and_answer(self, request: Json, answer: Answer) -> None:
        """Send a control request, and answer a command with its result."""

        def reply(response: Json) -> None:
            failed = response.get("subtype") == "error"
            answer(refusal(str(response.get("error"))) if failed else OK)

        self.call(request, reply)

    def note(self, line: Json) -> None:
        """Pass on the response to a request of ours."""
        response = line.get("response") or {}
        reply = self._replies.pop(str(response.get("request_id")), None)
        if reply:
            reply(response)

    def respond(self, key: str, response: Json) -> None:
        """Answer a request of the CLI."""
        self._host.send({"type": "control_response", "response": dict(response, request_id=key)})
