"""One module per CLI: how it is started and spoken to, and what its lines mean. A new CLI is a new module."""

from __future__ import annotations

from typing import Any, Dict, Type

from ..base.agent import Agent, AgentHost
from ..base.talk import Catalog
from ..files import Json
from .claude_code.agent import ClaudeCode
from .claude_code.limits import ClaudeLimits
from .claude_code.models import ClaudeModels
from .codex.agent import Codex
from .codex.limits import CodexLimits
from .codex.models import CodexModels

AGENTS: Dict[str, Type[Agent]] = {agent.backend: agent for agent in (ClaudeCode, Codex)}
CATALOGS: Dict[str, Type[Catalog]] = {each.backend: each for each in (ClaudeModels, CodexModels)}
LIMITS: Dict[str, Type[Catalog]] = {each.backend: each for each in (ClaudeLimits, CodexLimits)}


def make(spec: Json, host: AgentHost) -> Agent:
    """The agent that the spec asks for. KeyError for a backend that this version does not know."""
    kind: Any = AGENTS[spec["backend"]]
    agent: Agent = kind(spec, host)
    return agent
