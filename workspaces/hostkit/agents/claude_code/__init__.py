"""Claude Code."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from ...base.agent import Agent, AgentHost
from ...base.cli import AgentCli, EndedRun
from ...base.talk import Talk, output_of
from ...files import loads
from ...wire import (
    LoginState,
    ModelOffer,
    OfferedCommand,
    PlanLimits,
    RunSpec,
    SessionTokens,
    UsageTotals,
)
from . import commands, limits, models, screen, transcripts
from .agent import ClaudeCode
from .usage import settled


class ClaudeCodeCli(AgentCli):
    program = "claude"
    install_hint = "Install it on the host with: npm install -g @anthropic-ai/claude-code"
    resume_arguments = ("--resume",)
    variables = (
        *("ANTHROPIC_*", "CLAUDE_*", "DISABLE_*", "ENABLE_*", "API_TIMEOUT_MS", "MAX_*_TOKENS"),
        *("BASH_*_TIMEOUT_MS", "BASH_MAX_OUTPUT_LENGTH", "MCP_TIMEOUT", "MCP_TOOL_TIMEOUT"),
    )

    project_commands = commands.FOLDERS

    def agent(self, spec: RunSpec, host: AgentHost) -> Agent:
        return ClaudeCode(spec, host)

    def question_command(self, program: str) -> List[str]:
        return [program, "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]

    def ask_models(self, talk: Talk) -> ModelOffer:
        return models.ask(talk)

    def ask_commands(self, talk: Talk) -> List[OfferedCommand]:
        return commands.initialize(talk)

    def own_commands(self, env: Mapping[str, str]) -> List[Path]:
        return commands.own_files(env)

    def ask_limits(self, talk: Talk) -> PlanLimits:
        return limits.ask(talk)

    def read_limits(self, program: str, env: Dict[str, str], deadline: float) -> PlanLimits:
        return screen.ask(program, env, deadline)

    def login(self, program: str, env: Dict[str, str], deadline: float) -> LoginState:
        status = loads(output_of([program, "auth", "status"], env, deadline))
        kind = status.get("subscriptionType") or status.get("apiKeySource") or status.get("authMethod")
        return {"logged_in": bool(status.get("loggedIn")), "detail": str(kind or "")}

    def files(self, program: str, env: Mapping[str, str]) -> List[Path]:
        return [*self.program_files(program), transcripts.home(env) / ".credentials.json"]

    def sessions(
        self, env: Mapping[str, str], since: float, starts: Mapping[str, Sequence[float]]
    ) -> Dict[str, SessionTokens]:
        return transcripts.sessions(env, since, starts)

    def transcripts_of(self, env: Mapping[str, str], session: str, since: float) -> List[Path]:
        return transcripts.files_of(env, session)

    def final_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """A killed process does not report its last answers. Take their tokens from the transcript."""
        if not run.session or not (run.in_turn or (usage and usage.get("open"))):
            return usage
        return settled(run.raw, transcripts.messages_of(run.env, run.session))


CLI = ClaudeCodeCli()
