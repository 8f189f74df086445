"""One model request of either API: which step of which script is due."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from .ledger import Tokens
from .script import Fault, Step, has_directives, parse, step_at

Role = Literal["user", "assistant", "tool"]
Event = dict[str, Any] | float
"""An event of a streamed answer, or a pause in seconds."""


@dataclass(frozen=True)
class Turn:
    """One message of the conversation, reduced to its role and the user's text.

    `polls` marks a message of the model that only polls a running command, so it is no step of the script.
    """

    role: Role
    text: str = ""
    polls: bool = False


@dataclass(frozen=True)
class Conversation:
    turns: tuple[Turn, ...]
    model: str
    effort: str
    session: str
    kind: str
    stream: bool
    tools: frozenset[str]
    cwd: str
    root: str = ""
    """The session that has started this one; empty if it is the user's own."""
    running: int | None = None
    """The id of the command session that the last tool result reported as still running."""

    @property
    def prompt(self) -> str:
        """The last text of the user."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.prompt.encode("utf-8", "surrogatepass")).hexdigest()

    def with_scripts(self, scripts: Mapping[str, str]) -> Conversation:
        """Replace each prompt that contains the key of a script by this script."""
        if not scripts:
            return self
        return replace(self, turns=tuple(_scripted(turn, scripts) for turn in self.turns))

    def script(self) -> tuple[str, int]:
        """The last text with directives, and the number of the model's responses since."""
        for index in reversed(range(len(self.turns))):
            turn = self.turns[index]
            if turn.role == "user" and has_directives(turn.text):
                return turn.text, _responses(self.turns[index + 1 :])
        return "", _responses(self.turns)

    def step(self) -> tuple[int, Step]:
        """Return the step that is due, and its number. Raises ScriptError."""
        text, number = self.script()
        return number, step_at(parse(text), number)


def _scripted(turn: Turn, scripts: Mapping[str, str]) -> Turn:
    script = next((script for key, script in scripts.items() if key in turn.text), None)
    return turn if script is None or turn.role != "user" else replace(turn, text=script)


def _responses(turns: tuple[Turn, ...]) -> int:
    """Count the responses of the model: one response may be several consecutive items."""
    count = 0
    before: Role = "user"
    for turn in turns:
        count += turn.role == "assistant" and before != "assistant" and not turn.polls
        before = turn.role
    return count


class Api(Protocol):
    """One of the two model APIs: parses a request and writes the response."""

    name: str
    final_events: frozenset[str]
    """Events that complete a part of the response: an interrupted stream ends before the first of them."""

    def read(self, body: dict[str, Any], headers: dict[str, str]) -> Conversation: ...

    def events(self, talk: Conversation, step: Step, tokens: Tokens) -> Iterator[Event]: ...

    def word_of(self, event: dict[str, Any]) -> str: ...

    def whole(self, talk: Conversation, step: Step, tokens: Tokens) -> dict[str, Any]: ...

    def failure(self, fault: Fault, message: str) -> tuple[dict[str, Any], dict[str, str]]: ...

    def quota_headers(self, percent: float) -> dict[str, str]: ...
