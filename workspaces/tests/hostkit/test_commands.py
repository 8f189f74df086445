"""A command that two deliverers bring at the same time is carried out once, and both hear the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workspaces.hostkit.agents.base import Host
from workspaces.hostkit.agents.claude_code import ClaudeCode
from workspaces.hostkit.run.commands import Commands


class Wire(Host):
    """What the agent sends to its CLI and records."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.events: list[str] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append(kind)


def test_one_that_comes_again_before_the_cli_has_answered_waits_for_the_same_answer() -> None:
    wire = Wire()
    agent = ClaudeCode({"permission_mode": "ask"}, wire)
    at_work = {"cli": object(), "closing": False, "stopped": False, "cli_ended": False}
    commands = Commands(SimpleNamespace(agent=agent, emit=wire.emit, **at_work))  # type: ignore[arg-type]
    heard: list[dict[str, Any]] = []
    for _ in range(2):
        commands.handle({"command": "set_model", "id": "c1", "model": "opus"}, "web", heard.append)
    assert ([each["request"]["subtype"] for each in wire.sent], heard) == (["set_model"], [])
    response = {"subtype": "success", "request_id": wire.sent[0]["request_id"]}
    agent.feed({"type": "control_response", "response": response})
    commands.handle({"command": "set_model", "id": "c1", "model": "opus"}, "web", heard.append)
    assert (heard, wire.events, len(wire.sent)) == ([{"ok": True}] * 3, ["settings"], 1)
