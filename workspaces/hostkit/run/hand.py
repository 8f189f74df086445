"""The CLI's own interface on the session of an ended run, for a person who goes on by hand."""

from __future__ import annotations

import os
import sys

from .. import agents, environment
from ..agents.base import Host
from ..files import Json, read_json
from ..folder import RunFolder

RESUME = {"claude_code": ["--resume"], "codex": ["resume"]}


def main(path: str) -> int:  # noqa: RET503  (execve does not return)
    """Become `claude --resume ID` or `codex resume ID` in the run's worktree, with the run's variables."""
    folder = RunFolder(path)
    spec = read_json(folder.spec) or {}
    session = str((folder.read_outcome() or {}).get("cli_session") or spec.get("resume") or "")
    program = agents.make(spec, Host()).program
    env = environment.variables(spec.get("environment") or {}, spec.get("path"))
    found = environment.find(program, env["PATH"])
    if not session or not found:
        print(f"{program} was not found." if session else "This run has left no session to go on with.")
        sys.stdin.readline()
        return 1
    os.chdir(str(spec["worktree"]))
    os.execve(found, [program, *_words(spec, session)], env)


def _words(spec: Json, session: str) -> list[str]:
    return [*RESUME[str(spec["backend"])], session]
