"""Requests to codex app-server and its answers to them, and answers to its own requests."""

from __future__ import annotations

import itertools
from typing import Callable, Dict

from ...base.agent import OK, AgentHost, Answer, refusal
from ...wire import Json

Reply = Callable[[Json], None]


class CodexCalls:
    """The requests that the CLI has not answered yet."""

    def __init__(self, host: AgentHost) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._replies: Dict[int, Reply] = {}
        self._ids: Dict[str, object] = {}
        "Ids of the CLI's requests as it has written them, by our keys."

    @property
    def is_waiting(self) -> bool:
        return bool(self._replies)

    def call(self, method: str, params: Json, reply: Reply = lambda _line: None) -> None:
        number = next(self._numbers)
        self._replies[number] = reply
        self._host.send({"id": number, "method": method, "params": params})

    def call_and_answer(self, method: str, params: Json, answer: Answer) -> None:
        """Send a request, and answer a command with its result."""

        def reply(line: Json) -> None:
            error = (line.get("error") or {}).get("message")
            answer(refusal(str(error)) if "error" in line else OK)

        self.call(method, params, reply)

    def note(self, line: Json) -> None:
        """Pass on the answer to a request of ours."""
        reply = self._replies.pop(int(line.get("id") or 0), None)
        if reply:
            reply(line)

    def key_of(self, identity: object) -> str:
        """Return our key for a request of the CLI, whose id is a number or a text."""
        key = str(identity)
        self._ids[key] = identity
        return key

    def respond(self, key: str, result: Json) -> None:
        """Answer a request of the CLI."""
        self.answer(key, {"result": result})

    def refuse(self, key: str, error: Json) -> None:
        self.answer(key, {"error": error})

    def answer(self, key: str, answer: Dict[str, Json]) -> None:
        """Answer with {"result"} or {"error"}."""
        self._host.send({"id": self._ids.pop(key, key), **answer})
