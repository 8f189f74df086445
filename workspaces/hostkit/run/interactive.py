"""`interactive`: opens the session of an ended run in the CLI's own interface."""

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
"""If the CLI fails within so many seconds, the window stays open to show the error."""


def main(path: str) -> int:
    """Run `claude --resume ID`, for example, in the run's worktree and environment."""
    folder = RunFolder(path)
    spec = folder.read_spec()
    if spec is None:
        print(f"There is no run in {path}.", file=sys.stderr)
        return 2
    session = str((folder.read_outcome() or {}).get("cli_session") or spec.get("resume") or "")
    cli = agents.get(spec["backend"])
    env = environment.of_spec(spec, cli.variables, folder=folder.path)
    found = environment.find(cli.program, env["PATH"])
    if not session or not found:
        print(f"{cli.program} was not found." if session else "This run has no session to resume.")
        sys.stdin.readline()
        return 1
    os.chdir(str(spec["worktree"]))
    return _run(cli.interactive_command(found, session, env), env)


def _run(argv: List[str], env: Dict[str, str]) -> int:
    """Run the CLI until it ends. Then its window closes, and runs of the task may start again."""
    print("No run of this task starts while this window is open. It closes when the CLI exits.", flush=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is meant for the CLI
    began = time.monotonic()
    code = subprocess.call(argv, env=env)
    if code and time.monotonic() - began < TOO_SHORT:
        print(f"The CLI exited with status {code}. Press Enter to close this window.", flush=True)
        sys.stdin.readline()
    return code
