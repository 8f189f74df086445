"""One module per CLI: how it is started and spoken to, and what its lines mean. A new CLI is a new module."""

from __future__ import annotations

from typing import Any, Dict, Type

from ..files import Json
from .base import Agent, AgentHost
from .catalog import Catalog
from .claude_code import ClaudeCode
from .claude_limits import ClaudeLimits
from .claude_models import ClaudeModels
from .codex import Codex
from .codex_limits import CodexLimits
from .codex_models import CodexModels

AGENTS: Dict[str, Type[Agent]] = {agent.backend: agent for agent in (ClaudeCode, Codex)}
CATALOGS: Dict[str, Type[Catalog]] = {each.backend: each for each in (ClaudeModels, CodexModels)}
LIMITS: Dict[str, Type[Catalog]] = {each.backend: each for each in (ClaudeLimits, CodexLimits)}


def make(spec: Json, host: AgentHost) -> Agent:
    """The agent that the spec asks for. KeyError for a backend that this version does not know."""
    kind: Any = AGENTS[spec["backend"]]
    agent: Agent = kind(spec, host)
    return agent
