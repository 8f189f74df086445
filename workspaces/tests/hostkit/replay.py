"""Feeds recorded lines of a CLI to its agent, without a CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from workspaces.hostkit.agents.claude_code.agent import ClaudeCode
from workspaces.hostkit.agents.codex.agent import Codex
from workspaces.hostkit.base.agent import AgentHost
from workspaces.hostkit.wire import RunEvent, RunSpec

Json = dict[str, Any]
SAMPLES = Path(__file__).parent / "samples"


class Tape(AgentHost):
    """Keeps what the agent sent and emitted."""

    def __init__(self) -> None:
        self.sent: list[Json] = []
        self.events: list[Json] = []

    def send(self, message: Json) -> None:
        self.sent.append(message)

    def emit(self, event: RunEvent) -> None:
        self.events.append({**event})

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["kind"] == kind]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


def lines_of(sample: str) -> list[Json]:
    return [json.loads(line) for line in (SAMPLES / f"{sample}.jsonl").read_text().splitlines()]


def spec(**changes: Any) -> RunSpec:
    return cast("RunSpec", {"worktree": "w/a", "permission_mode": "ask", **changes})


def claude(sample: str = "", **changes: Any) -> tuple[ClaudeCode, Tape]:
    """An agent that has sent its prompt and heard the lines of the sample."""
    tape = Tape()
    agent = ClaudeCode(spec(backend="claude_code", **changes), tape)
    agent.begin("do it")
    for line in lines_of(sample) if sample else []:
        agent.feed(line)
    return agent, tape


def codex(sample: str = "", most: int | None = None, **changes: Any) -> tuple[Codex, Tape]:
    """An agent whose thread has started, fed with (at `most` so many of) the sample's messages."""
    lines = [line for line in lines_of(sample) if "method" in line] if sample else []
    thread = next((line["params"]["threadId"] for line in lines if "threadId" in line["params"]), "thread-1")
    tape = Tape()
    agent = Codex(spec(backend="codex", **changes), tape)
    agent.begin("do it")
    agent.feed({"id": 1, "result": {"userAgent": "aitask/0.169.0 (Debian)"}})
    agent.feed({"id": 2, "result": {"account": None, "requiresOpenaiAuth": False}})
    agent.feed({"id": 3, "result": {"thread": {"id": thread}, "model": "gpt-5.5", "reasoningEffort": "low"}})
    agent.feed({"id": 4, "result": {"turn": {"id": "turn-1"}}})
    for line in lines[:most]:
        agent.feed(line)
    return agent, tape
