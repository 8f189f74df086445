"""What hostkit asks of a CLI beside a run: models, limits, login, transcripts, and how to open it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..wire import LoginState, ModelOffer, PlanLimits, RunSpec, SessionTokens, UsageTotals
from .agent import Agent, AgentHost
from .talk import NoAnswer, NoPlan, Talk


class EndedRun(NamedTuple):
    """A run that did not succeed, when its tokens are added up for the last time."""

    raw: Path
    """What the CLI wrote, line by line: `< ` before its output."""
    session: str
    env: Mapping[str, str]
    cut_off: bool
    """The model was asked for an answer whose tokens were not reported."""


class AgentCli:
    """One CLI on this host; its module in `agents` has one as `CLI`.

    `program` and `agent` are needed. The rest says by default that the CLI does not offer it.
    """

    program = ""
    """Its name on the PATH."""
    install_hint = ""
    """A sentence for a host that does not have it."""
    resume_words: Sequence[str] = ()
    """What stands between the program and a session's id, to go on with it in the CLI's own interface."""

    def agent(self, spec: RunSpec, host: AgentHost) -> Agent:
        """What drives the CLI in a run."""
        raise NotImplementedError

    # questions: the CLI is started for each, in a folder of no repository

    def question_command(self, program: str) -> List[str]:
        """How it is started to be asked. Raises NoAnswer."""
        raise NoAnswer(f"{self.program} can't be asked.")

    def ask_models(self, talk: Talk) -> ModelOffer:
        """Ids of models and efforts as the CLI writes them. Raises NoAnswer."""
        raise NoAnswer(f"{self.program} does not list its models.")

    def ask_limits(self, talk: Talk) -> PlanLimits:
        """Raises NoAnswer; NotSupported leads to `read_limits`."""
        raise NoPlan(f"{self.program} does not tell plan limits.")

    def read_limits(self, program: str, env: Dict[str, str], deadline: float) -> PlanLimits:
        """The last resort after NotSupported. Raises NoAnswer."""
        raise NoAnswer(f"{self.program} has no other way to tell.")

    def login(self, program: str, env: Dict[str, str], deadline: float) -> LoginState:
        """Raises NoAnswer, TimeoutExpired or OSError."""
        return {"logged_in": None, "detail": ""}

    def files(self, program: str, env: Mapping[str, str]) -> List[Path]:
        """Files on which the list of models depends: the program and what a login changes."""
        return [Path(program)]

    # its own records

    def sessions(self, env: Mapping[str, str], since: float) -> Dict[str, SessionTokens]:
        """Tokens by session, in its transcripts that were written since then (seconds since 1970)."""
        return {}

    def final_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """The tokens of a run that ended early: what was reported, put right where its records know more."""
        return usage

    # by hand

    def interactive_command(self, program: str, session: str, env: Mapping[str, str]) -> List[str]:
        """Its own interface on a session."""
        return [program, *self.resume_words, session]
