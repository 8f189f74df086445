"""Codex CLI."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from ...base.agent import Agent, AgentHost
from ...base.cli import AgentCli, EndedRun
from ...base.talk import Talk
from ...wire import (
    LoginState,
    ModelOffer,
    OfferedCommand,
    PlanLimits,
    RunSpec,
    SessionTokens,
    UsageTotals,
)
from . import limits, login, models, skills, transcripts
from .agent import Codex
from .protocol import native_program
from .usage import CodexLedger, missing_requests, with_requests

ALONE = "--no-daemon"
"""Without it, the CLI's own interface leaves a server running that keeps the session open."""


class CodexCli(AgentCli):
    program = "codex"
    install_hint = "Install it on the host with: npm install -g @openai/codex"
    resume_arguments = ("resume",)
    variables = ("OPENAI_*", "CODEX_*")

    project_commands = skills.FOLDERS

    def agent(self, spec: RunSpec, host: AgentHost) -> Agent:
        return Codex(spec, host)

    def question_command(self, program: str) -> List[str]:
        return [native_program(program), "app-server"]

    def ask_models(self, talk: Talk) -> ModelOffer:
        return models.ask(talk)

    def ask_commands(self, talk: Talk) -> List[OfferedCommand]:
        return skills.ask(talk)

    def own_commands(self, env: Mapping[str, str]) -> List[Path]:
        return skills.own_files(env)

    def ask_limits(self, talk: Talk) -> PlanLimits:
        return limits.ask(talk)

    def login(self, program: str, env: Dict[str, str], deadline: float) -> LoginState:
        talk = Talk(self.question_command(program), env, deadline)
        try:
            return login.ask(talk)
        finally:
            talk.close()

    def files(self, program: str, env: Mapping[str, str]) -> List[Path]:
        return [*self.program_files(program), transcripts.home(env) / "auth.json"]

    def program_files(self, program: str) -> List[Path]:
        return [Path(program), Path(native_program(program))]

    def sessions(
        self, env: Mapping[str, str], since: float, starts: Mapping[str, Sequence[float]]
    ) -> Dict[str, SessionTokens]:
        return transcripts.sessions(env, since, starts)

    def transcripts_of(self, env: Mapping[str, str], session: str, since: float) -> List[Path]:
        return transcripts.files_of(env, session, since)

    def final_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """Complete the tokens of a run that ended during a turn.

        Codex reports an answer's tokens only after its commands, and then immediately requests the next one.
        So there is an unreported answer, which may be in the transcript; else it is counted as interrupted.
        """
        if not run.in_turn:
            return usage
        known = usage.copy() if usage else CodexLedger(None).total()
        threads = [run.session, *_others(known)]
        missing = missing_requests(known, transcripts.requests_of(run.env, threads, run.began))
        if missing:
            return with_requests(known, missing)
        known["untold"] = known.get("untold", 0) + 1
        return known

    def unreported_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """Add the tokens of reviews and of reviewers of approvals."""
        requests = transcripts.unreported(run.env, run.session, run.began, _others(usage))
        return with_requests(usage, requests) if run.session and requests else usage

    def interactive_command(self, program: str, session: str, env: Mapping[str, str]) -> List[str]:
        argv = super().interactive_command(program, session, env)
        usage = subprocess.run(
            [program, *self.resume_arguments, "--help"],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return [*argv[:-1], ALONE, session] if ALONE.encode() in usage.stdout else argv


def _others(usage: Optional[UsageTotals]) -> List[str]:
    """Return the threads of sub-agents whose tokens were reported."""
    total = (usage.get("thread_total") if usage else None) or {}
    return list(total.get("others") or {})


CLI = CodexCli()
