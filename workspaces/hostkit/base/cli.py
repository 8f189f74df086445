"""The interface of a CLI outside of runs: models, limits, login, transcripts and interactive sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..wire import LoginState, ModelOffer, OfferedCommand, PlanLimits, RunSpec, SessionTokens, UsageTotals
from .agent import Agent, AgentHost
from .talk import NoAnswer, NoPlan, Talk


class EndedRun(NamedTuple):
    """A run that has ended, for its final token totals."""

    raw: Path
    """File with the CLI's lines. Its output is prefixed with `< `."""
    session: str
    env: Mapping[str, str]
    in_turn: bool
    """Whether it ended during a turn, so that the tokens of an answer may not have been reported."""
    began: float = 0.0
    """When the CLI was started, in seconds since 1970."""


class AgentCli:
    """One CLI on this host. Its module in `agents` assigns an instance to `CLI`.

    `program` and `agent` are required. By default, all other features are not supported.
    """

    program = ""
    """Name of the executable on the PATH."""
    install_hint = ""
    """A sentence for the case that the program is not found."""
    resume_arguments: Sequence[str] = ()
    """Arguments between program and session id that resume a session in the CLI's own interface."""
    variables: Sequence[str] = ()
    """Patterns of the host's environment variables that the CLI gets, besides those that all programs get."""

    def agent(self, spec: RunSpec, host: AgentHost) -> Agent:
        """Return the object that controls the CLI in a run."""
        raise NotImplementedError

    # queries: the CLI is started for each, in a folder outside of any repository

    def question_command(self, program: str) -> List[str]:
        """Return the command line for a query. Raises NoAnswer."""
        raise NoAnswer(f"{self.program} supports no queries.")

    def ask_models(self, talk: Talk) -> ModelOffer:
        """Return the models and efforts, with the CLI's own ids. Raises NoAnswer."""
        raise NoAnswer(f"{self.program} does not list its models.")

    project_commands: Sequence[str] = ()
    """Folders of a repository whose Markdown files are commands or skills."""

    def ask_commands(self, talk: Talk) -> List[OfferedCommand]:
        """Return the commands and skills that a message can begin with, in the folder of `talk`.

        The folder has the files in `project_commands` and nothing else of the repository. Raises NoAnswer.
        """
        return []

    def own_commands(self, env: Mapping[str, str]) -> List[Path]:
        """Return the user's own files and folders that define commands."""
        return []

    def ask_limits(self, talk: Talk) -> PlanLimits:
        """Return the plan limits. Raises NoAnswer; after NotSupported, `read_limits` is called."""
        raise NoPlan(f"{self.program} does not report plan limits.")

    def read_limits(self, program: str, env: Dict[str, str], deadline: float) -> PlanLimits:
        """Get the plan limits in another way, after NotSupported. Raises NoAnswer."""
        raise NoAnswer(f"There is no other way to get them from {self.program}.")

    def login(self, program: str, env: Dict[str, str], deadline: float) -> LoginState:
        """Return whether the CLI is logged in. Raises NoAnswer, TimeoutExpired or OSError."""
        return {"logged_in": None, "detail": ""}

    def files(self, program: str, env: Mapping[str, str]) -> List[Path]:
        """Return the files that the model list depends on: the program and the files that a login changes."""
        return self.program_files(program)

    def program_files(self, program: str) -> List[Path]:
        """Return the files that an update of the CLI changes."""
        return [Path(program)]

    # transcripts

    def sessions(
        self, env: Mapping[str, str], since: float, starts: Mapping[str, Sequence[float]]
    ) -> Dict[str, SessionTokens]:
        """Return tokens by session, from transcripts modified since then (seconds since 1970).

        `starts` has the sessions whose runs are returned apart, and when these started.
        """
        return {}

    def transcripts_of(self, env: Mapping[str, str], session: str, since: float) -> List[Path]:
        """Return the transcripts of a session and of its sub-agents, which have been written since then."""
        return []

    def final_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """Return the tokens of a run that ended early: as reported, corrected by the CLI's transcripts."""
        return usage

    def unreported_usage(self, usage: Optional[UsageTotals], run: EndedRun) -> Optional[UsageTotals]:
        """Return the tokens of a run, with those that the CLI never reports, in its transcripts only."""
        return usage

    # interactive sessions

    def interactive_command(self, program: str, session: str, env: Mapping[str, str]) -> List[str]:
        """Return the command line that opens a session in the CLI's own interface."""
        return [program, *self.resume_arguments, session]
