"""The tokens of a real Claude Code whose conversation is cleared while it runs.

The app never sends `/clear`: what a user writes reaches the model as words. A CLI may still begin another
conversation by itself, so this test sends the command past the agent.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.cli_home import CliHome
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.ledger import COUNTED, Tokens
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tools import require_tool
from workspaces.hostkit.agents.claude_code.agent import ClaudeCode
from workspaces.hostkit.base.agent import PendingMessage

from .replay import Json, Tape, spec

pytestmark = [pytest.mark.cli, pytest.mark.oldest_cli]


class LiveTape(Tape):
    """A tape whose agent drives a real CLI."""

    def __init__(self, worktree: Path, environment: dict[str, str], resume: str | None) -> None:
        super().__init__()
        given = {"backend": "claude_code", "worktree": str(worktree), "resume": resume}
        self.agent = ClaudeCode(spec(permission_mode="full", **given), self)
        command = self.agent.command_line(require_tool("claude"))
        env = {**environment, **self.agent.environment()}
        self.process = subprocess.Popen(
            command, cwd=worktree, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def send(self, message: Json) -> None:
        super().send(message)
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the agent read lines of the CLI until something is true."""
        assert self.process.stdout
        while not condition():
            line = self.process.stdout.readline()
            assert line, "the CLI has ended"
            self.agent.feed(json.loads(line))

    def say(self, text: str) -> None:
        turns = len(self.of("usage"))
        self.agent.say(PendingMessage(text, "web"), "after_turn", lambda _answer: None)
        self.until(lambda: len(self.of("usage")) > turns and self.agent.settled)

    def clear(self) -> None:
        content = [{"type": "text", "text": "/clear"}]
        self.send({"type": "user", "message": {"role": "user", "content": content}})
        self.until(lambda: bool(self.of("session")))

    def tokens(self) -> Tokens:
        told = self.of("usage")[-1]
        return Tokens(*(told.get(name) or 0 for name in COUNTED))


def test_tokens_equal_the_ledger_over_a_clear_in_a_resumed_session(
    tmp_path: Path, cli_home: CliHome, endpoint: ScriptedEndpoint
) -> None:
    worktree, counted, session = make_repo(tmp_path / "repo"), Tokens(), None
    for number in range(3):
        tape = LiveTape(worktree, cli_home.environment, session)
        try:
            tape.agent.begin(f"@bash echo {number}\n@text one")
            tape.until(lambda tape=tape: tape.agent.settled)  # type: ignore[misc]
            if number == 1:
                tape.clear()
                tape.say("@text two")
                tape.say("@bash echo x\n@text three")
        finally:
            processes.end(tape.process)
        counted += tape.tokens()
        session = tape.agent.session
        assert counted == endpoint.ledger.total()
