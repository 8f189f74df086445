"""Commands: carried out once, however often they come, and refused when the CLI would pass over a part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workspaces.hostkit.agents.claude_code.agent import ClaudeCode
from workspaces.hostkit.base.agent import AgentHost
from workspaces.hostkit.run.commands import Commands
from workspaces.hostkit.wire import CommandAnswer, RequestEvent, RequestKind, RunEvent

from .replay import spec


class Wire(AgentHost):
    """What the agent sends to its CLI and records."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.events: list[str] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def emit(self, event: RunEvent) -> None:
        self.events.append(event["kind"])


def test_one_that_comes_again_before_the_cli_has_answered_waits_for_the_same_answer() -> None:
    wire = Wire()
    agent = ClaudeCode(spec(), wire)
    at_work = {"process": object(), "closing": False, "stopped": False, "cli_ended": False}
    commands = Commands(SimpleNamespace(agent=agent, emit=wire.emit, **at_work))  # type: ignore[arg-type]
    heard: list[CommandAnswer] = []
    for _ in range(2):
        commands.handle({"command": "set_model", "id": "c1", "model": "opus"}, "web", heard.append)
    assert ([each["request"]["subtype"] for each in wire.sent], heard) == (["set_model"], [])
    response = {"subtype": "success", "request_id": wire.sent[0]["request_id"]}
    agent.feed({"type": "control_response", "response": response})
    commands.handle({"command": "set_model", "id": "c1", "model": "opus"}, "web", heard.append)
    assert (heard, wire.events, len(wire.sent)) == ([{"ok": True}] * 3, ["settings"], 1)


def request_of(kind: RequestKind) -> RequestEvent:
    return {"kind": "request", "id": "r", "request_kind": kind, "tool": "Bash", "title": "ls"}


@pytest.fixture
def agent() -> ClaudeCode:
    return ClaudeCode(spec(), Wire())


def told(agent: ClaudeCode, **command: Any) -> CommandAnswer:
    """What a command about the request `r` is answered."""
    heard: list[CommandAnswer] = []
    runner = SimpleNamespace(agent=agent, emit=agent.host.emit)
    Commands(runner).handle({**command, "request": "r"}, "web", heard.append)  # type: ignore[arg-type]
    return heard[0]


@pytest.mark.parametrize(
    ("request_kind", "command", "why"),
    [
        ("approval", {"input": {"command": "ls"}}, "input can't be changed"),
        ("approval", {"scope": "run"}, "allow it once"),
        ("approval", {"mode": "yolo"}, "unknown permission mode"),
        ("question", {}, "answer or deny it"),
    ],
)
def test_an_approval_that_the_cli_would_not_keep_to_is_refused_and_the_request_stays_open(
    agent: ClaudeCode, request_kind: RequestKind, command: dict[str, Any], why: str
) -> None:
    request = request_of(request_kind)
    request.update({"can_edit": False, "can_allow_for_run": False})
    agent.open_request(request, {})
    assert why in told(agent, command="approve", **command)["error"]
    assert list(agent.requests) == ["r"]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"Size?": "L"}, "not answered: 'Colour?'"),
        ({"Taste?": "x"}, "no question 'Taste?'"),
        ([], "not an object"),
    ],
)
def test_answers_must_be_those_of_the_questions(agent: ClaudeCode, answers: Any, why: str) -> None:
    request = request_of("question")
    request["questions"] = [{"id": name, "question": name} for name in ("Colour?", "Size?")]
    agent.open_request(request, {})
    assert why in told(agent, command="answer", answers=answers)["error"]
    assert list(agent.requests) == ["r"]
