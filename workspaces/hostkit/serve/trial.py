"""`try_turn`: one real, tiny turn of a CLI, by the protocol that runs use, to see whether its version works.

It costs one small request on the login's account. It runs in an empty folder outside of any repository.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Dict, Optional

from .. import agents, environment
from ..base.agent import Agent, AgentHost
from ..base.cli import AgentCli
from ..base.program import fingerprint
from ..base.talk import MALFORMED, NoAnswer, NoMoreTime, Talk
from ..wire import PROTOCOL, Json, RunEvent, RunSpec, TrialAnswer, TrialCode, TrialParams
from . import commands, programs
from .requests import Request

PROMPT = "Answer with the single word ok. Use no tools."
SECONDS = 60.0
RETRYING_SECONDS = 10.0
"""How long the CLI may repeat failed requests: then the service is the reason, not the program."""
BUSY_SECONDS = 10.0
"""How long a program may be missing or busy because an update is replacing it."""
BUSY = (errno.ENOENT, errno.ETXTBSY, errno.ESTALE)
PAUSE = 0.2
LONGEST_READ = 1.0


class TrialHost(AgentHost):
    """Takes what the agent reports, and sends its lines to the CLI."""

    def __init__(self) -> None:
        self.talk: Optional[Talk] = None
        self.version: Optional[str] = None
        self.answered = False
        """The model has said something, or has asked for something."""

    def send(self, message: Json) -> None:
        if self.talk:
            self.talk.send(message)

    def emit(self, event: RunEvent) -> None:
        if event["kind"] == "started":
            self.version = event.get("cli_version")
        elif event["kind"] in ("text", "thinking", "tool", "request"):
            self.answered = True


def try_turn(params: TrialParams, request: Request) -> TrialAnswer:
    """Try one turn. If it does not end, try the earlier program, too: the service may be the reason."""
    cli = agents.get(params["backend"])
    env = environment.variables(params.get("environment") or {}, also=cli.variables)
    state = programs.seen(cli, env)
    if not state["path"]:
        return _answer("missing", f"{cli.program} is not installed, or not on the PATH.")
    trial = Trial(cli, env, params, request)
    answer = trial.run(state["path"])
    answer["fingerprint"] = state["fingerprint"]
    earlier = params.get("earlier") or ""
    if answer["code"] == "no_end" and _is_same(cli, earlier, params.get("earlier_fingerprint") or ""):
        answer["earlier"] = trial.run(earlier)["code"]
    return answer


def _is_same(cli: AgentCli, program: str, known: str) -> bool:
    return bool(program) and fingerprint(cli.program_files(program)) == known


def _answer(code: TrialCode, reason: str = "", failure: str = "") -> TrialAnswer:
    return {
        "code": code,
        "reason": reason,
        "failure": failure,
        "version": None,
        "fingerprint": "",
        "seconds": 0.0,
        "earlier": None,
    }


class Trial:
    """The trial of one CLI in one environment."""

    def __init__(self, cli: AgentCli, env: Dict[str, str], params: TrialParams, request: Request) -> None:
        self.cli = cli
        self.env = env
        self.params = params
        self.request = request
        self.seconds = float(params.get("seconds") or SECONDS)

    def run(self, program: str) -> TrialAnswer:
        began = time.monotonic()
        folder = tempfile.mkdtemp(prefix="aitask-trial-")
        host = TrialHost()
        try:
            answer = self._in_folder(program, folder, host, began + self.seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        answer["version"], answer["seconds"] = host.version, round(time.monotonic() - began, 2)
        return answer

    def _in_folder(self, program: str, folder: str, host: TrialHost, deadline: float) -> TrialAnswer:
        agent = self.cli.agent(_spec(self.params, folder), host)
        argv = agent.command_line(program)
        try:
            talk = self._started(argv, folder, dict(self.env, **agent.environment()), deadline)
        except OSError as error:
            return _answer("no_start", f"{program} can't be executed: {error.strerror or error}.")
        host.talk = talk
        self.request.on_change(lambda: talk.end() if self.request.cancelled else None)
        try:
            with commands.killed_on_exit(talk.process):
                return self._converse(agent, host, talk)
        finally:
            talk.close()

    def _started(self, argv: "list[str]", folder: str, env: Dict[str, str], deadline: float) -> Talk:
        """Start the program. Waits while an update is replacing it. Raises OSError."""
        patience = min(deadline, time.monotonic() + BUSY_SECONDS)
        while True:
            try:
                return Talk(argv, env, deadline, cwd=folder)
            except OSError as error:
                if error.errno not in BUSY or time.monotonic() > patience:
                    raise
            time.sleep(PAUSE)

    def _converse(self, agent: Agent, host: TrialHost, talk: Talk) -> TrialAnswer:
        agent.begin(PROMPT)
        while not agent.settled:
            since = agent.retrying_since
            if since is not None and time.monotonic() - since > RETRYING_SECONDS:
                return _answer("failed", agent.last_retry.reason, agent.last_retry.code)
            if talk.is_over_time:
                return self._too_slow(agent, host)
            try:
                _feed(agent, talk.next_line(LONGEST_READ))
            except NoMoreTime:
                continue
            except NoAnswer as error:
                return self._ended(agent, str(error), talk)
        outcome = agent.outcome
        if outcome is None or outcome.state == "succeeded":
            return _answer("ok")
        return _answer("failed", outcome.reason, outcome.code)

    def _too_slow(self, agent: Agent, host: TrialHost) -> TrialAnswer:
        if agent.retrying_since is not None:
            return _answer("failed", agent.last_retry.reason, agent.last_retry.code)
        if host.version is None and not agent.session:
            return _answer("no_beginning", f"did not begin a turn within {self.seconds:g} s")
        if host.answered:
            return _answer("never_idle", f"answered, but did not finish its turn within {self.seconds:g} s")
        return _answer("no_end", f"did not finish a turn within {self.seconds:g} s")

    def _ended(self, agent: Agent, words: str, talk: Talk) -> TrialAnswer:
        """The CLI has ended: after a turn that failed, for that reason, else by itself."""
        if agent.outcome and agent.outcome.state == "failed":
            return _answer("failed", agent.outcome.reason, agent.outcome.code)
        how = talk.how_it_ended()
        return _answer("died", f"ended without finishing a turn {how}" if how else words)


def _feed(agent: Agent, line: Json) -> None:
    """Like the runner: a line with unexpected content harms only itself."""
    with suppress(*MALFORMED):
        agent.feed(line)


def _spec(params: TrialParams, folder: str) -> RunSpec:
    """Return a run's spec for a folder that is no worktree."""
    return {
        "v": PROTOCOL,
        "key": "trial",
        "run": 0,
        "task": 0,
        "number": 1,
        "title": "Trial turn",
        "backend": params["backend"],
        "model": params.get("model") or None,
        "reasoning_effort": "low",
        "permission_mode": "ask",
        "worktree": folder,
        "repo_git_dir": "",
        "git_dir": "",
        "temporary": str(Path(folder, "tmp")),
        "branch": "",
        "base_commit": "",
        "resume": None,
        "thread_total": None,
        "environment": params.get("environment") or {},
        "setup_command": "",
        "setup_marker": "",
        "copied": [],
        "commit": {"enabled": False, "message": "", "name": "", "email": ""},
        "trial": True,
    }
