"""How Claude Code is started: its arguments and variables."""

from __future__ import annotations

import json
import uuid
from typing import Dict, List, Optional

from ...base.agent import Agent
from ...base.proposals import READING_TOOLS, SCHEMA
from .settings import settings_argument

MODES = {"plan": "plan", "ask": "default", "edits": "acceptEdits", "full": "acceptEdits"}
"""The CLI's permission modes by ours."""
TRIAL_OPTIONS = ("--no-session-persistence", "--strict-mcp-config", "--tools", "")
"""Of a trial turn: no transcript, no MCP servers, no tools."""
DENY_ALL = "dontAsk"
"""The permission mode of a plan run: what would be asked is denied."""
PLAN_OPTIONS = ("--strict-mcp-config", "--tools", READING_TOOLS, "--json-schema", json.dumps(SCHEMA))
"""Of a plan run: no tool that writes, no MCP servers, and an answer of this form."""


def arguments(agent: Agent, program: str) -> List[str]:
    """Return the command line of a run."""
    spec = agent.spec
    argv = [program, "-p", "--input-format", "stream-json", "--output-format", "stream-json"]
    argv += ["--verbose", "--permission-prompt-tool", "stdio", "--replay-user-messages"]
    argv.append("--include-partial-messages")
    argv += ["--permission-mode=" + (DENY_ALL if agent.is_plan else MODES[agent.mode])]
    argv.append(settings_argument(spec))
    model, effort, resume = spec.get("model"), spec.get("reasoning_effort"), spec.get("resume")
    if model:
        argv.append("--model=" + model)
    if effort:
        argv.append("--effort=" + effort)
    if agent.fork:
        argv += ["--fork-session", "--resume-session-at=" + agent.fork["anchor"]]
    if spec.get("trial"):
        argv += TRIAL_OPTIONS
    if agent.is_plan:
        argv += PLAN_OPTIONS
    argv.append("--resume=" + resume if resume else "--session-id=" + str(uuid.uuid4()))
    return argv


def effort_variables(level: Optional[str]) -> Dict[str, str]:
    """Return the variable that sets the effort, because `--effort` may be ignored (2.1.197: 1 of 20 starts).

    Some models use a default effort unless a file overrides it, and processes that start at the same time
    overwrite that file.
    """
    return {"CLAUDE_CODE_EFFORT_LEVEL": level} if level else {}
