"""Forms and secrets at the keyboard of the pane."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workspaces.hostkit.run.commands import Commands
from workspaces.hostkit.run.keyboard import Keyboard

from .replay import Json, Tape, codex
from .test_asked import FORM, OF_THREAD, asked_of, replied, server_request


class Screen:
    """A pane that keeps what it says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.unread: dict[str, str] = {}

    def say(self, text: str, _colour: str = "") -> None:
        self.said.append(text)


def keyboard_of(agent: Any) -> tuple[Any, Screen]:
    screen: Any = Screen()
    runner: Any = SimpleNamespace(agent=agent, emit=agent.host.emit)
    return Keyboard(Commands(runner), screen), screen


def asked(properties: Json, required: list[str]) -> tuple[Any, Tape, Any, Screen]:
    agent, tape, _ = asked_of("codex", requestedSchema={"properties": properties, "required": required})
    keyboard, screen = keyboard_of(agent)
    keyboard.line("/y")
    return agent, tape, keyboard, screen


def test_each_field_is_asked_for_until_it_fits() -> None:
    properties: Json = {
        "name": {"type": "string", "minLength": 2},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}},
        "sure": {"type": "boolean"},
    }
    agent, tape, keyboard, screen = asked(properties, ["name"])
    for line in ("", "A", "//n", "1 3", "perhaps", "yes"):
        keyboard.line(line)
    assert replied(tape)["content"] == {"name": "/n", "tags": ["a", "c"], "sure": True}
    problems = {"This field is required.", "Enter at least 2 characters.", "Answer with yes or no."}
    assert problems <= set(screen.said)
    assert not agent.requests


def test_a_command_ends_the_filling_in() -> None:
    _, tape, keyboard, screen = asked({"name": {"type": "string"}}, [])
    keyboard.line("/cancel")
    assert replied(tape) == {"action": "cancel"}
    keyboard.line("/zzz")
    assert "unknown command" in screen.said[-1]


def test_a_form_that_was_closed_meanwhile_gets_no_line() -> None:
    agent, tape, keyboard, screen = asked({"name": {"type": "string"}}, [])
    agent.close_request("0", "withdrawn", "agent")
    keyboard.line("secret words")
    assert "no longer open" in screen.said[-1]
    assert "secret words" not in str(tape.sent)


def test_secrets_are_not_typed_where_they_are_seen() -> None:
    agent, _, _ = asked_of("claude_code", requestedSchema=FORM)
    keyboard, screen = keyboard_of(agent)
    keyboard.line("/y")
    assert "in the browser" in screen.said[-1]
    assert agent.requests


def test_a_secret_answer_is_not_typed_either() -> None:
    agent, tape = codex()
    question = {"id": "q", "question": "Pin?", "isSecret": True, "options": None}
    server_request(agent, tape, "item/tool/requestUserInput", {**OF_THREAD, "questions": [question]}, 1)
    keyboard, screen = keyboard_of(agent)
    keyboard.line("/y 1234")
    assert "in the browser" in screen.said[-1]
    assert "1234" not in str(tape.sent)
