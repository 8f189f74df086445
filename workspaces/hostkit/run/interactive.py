"""`interactive`: the CLI's own interface on the session of an ended run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Dict, List

from .. import agents, environment
from ..folder import RunFolder

TOO_SHORT = 15.0
"""Seconds within which an end with an error is shown before the window closes with it."""


def main(path: str) -> int:
    """Run such as `claude --resume ID` in the run's worktree, with the run's variables."""
    folder = RunFolder(path)
    spec = folder.read_spec()
    if spec is None:
        print(f"There is no run in {path}.", file=sys.stderr)
        return 2
    session = str((folder.read_outcome() or {}).get("cli_session") or spec.get("resume") or "")
    cli = agents.get(spec["backend"])
    env = environment.variables(spec.get("environment") or {}, spec.get("path"))
    found = environment.find(cli.program, env["PATH"])
    if not session or not found:
        print(f"{cli.program} was not found." if session else "This run has left no session to go on with.")
        sys.stdin.readline()
        return 1
    os.chdir(str(spec["worktree"]))
    return _run(cli.interactive_command(found, session, env), env)


def _run(argv: List[str], env: Dict[str, str]) -> int:
    """Until the CLI ends: then its window closes, and runs of the task may start again."""
    print("While this window is open no run of this task starts. It closes with the CLI.", flush=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # it is meant for the CLI
    began = time.monotonic()
    code = subprocess.call(argv, env=env)
    if code and time.monotonic() - began < TOO_SHORT:
        print(f"It ended with status {code}. Press Enter to close this window.", flush=True)
        sys.stdin.readline()
    return code
