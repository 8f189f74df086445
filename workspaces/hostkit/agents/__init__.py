"""One module per CLI: how it is started and spoken to, and what its lines mean. A new CLI is a new module."""

from __future__ import annotations

from typing import Any, Dict, Type

from ..files import Json
from .base import Agent, Host
from .claude_code import ClaudeCode
from .codex import Codex

AGENTS: Dict[str, Type[Agent]] = {agent.backend: agent for agent in (ClaudeCode, Codex)}


def make(spec: Json, host: Host) -> Agent:
    """The agent that the spec asks for. KeyError for a backend that this version does not know."""
    kind: Any = AGENTS[spec["backend"]]
    agent: Agent = kind(spec, host)
    return agent
