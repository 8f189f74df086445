"""The terminal of a run: its modes, and the lines that the guard prints at the end."""

from __future__ import annotations

import os
import sys
import termios
from contextlib import suppress
from typing import Any, List, Optional

from .. import agents
from ..folder import RunFolder
from ..wire import RunOutcome, RunSpec
from .pane import plain
from .record import Record

STDIN = 0


def save_modes() -> Optional[List[Any]]:
    try:
        return termios.tcgetattr(STDIN)
    except termios.error:
        return None


def restore_modes(modes: Optional[List[Any]]) -> None:
    if modes is not None:
        with suppress(termios.error):  # the terminal may have been closed
            termios.tcsetattr(STDIN, termios.TCSANOW, modes)


def prepare_modes() -> None:
    """Disable flow control, which could block output, and job control keys. Line editing and echo stay on."""
    modes = save_modes()
    if modes is None:
        return
    modes[0] &= ~(termios.IXON | termios.IXOFF)
    disabled = os.fpathconf(STDIN, "PC_VDISABLE")
    for key in (termios.VQUIT, termios.VSUSP):
        modes[6][key] = bytes([disabled])
    restore_modes(modes)


def let_go() -> None:
    """Replace the standard streams, because the terminal is gone: writing to it would raise errors."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def print_how_to_continue(folder: RunFolder, spec: RunSpec, outcome: RunOutcome) -> None:
    """Print how the run ended, and the command that resumes its session in the CLI."""
    session = outcome.get("cli_session")
    lines = [f"-- {outcome['state']}" + (f": {outcome['reason']}" if outcome.get("reason") else "")]
    if session:
        cli = agents.get(spec["backend"])
        lines.append("-- continue with: " + " ".join([cli.program, *cli.resume_arguments, session]))
    text = "\n" + "\n".join(plain(line) for line in lines) + "\n"
    record = Record(folder.terminal)
    record.add(text.replace("\n", "\r\n").encode("utf-8", "replace"))
    record.close()
    with suppress(OSError):  # the terminal may have been closed
        sys.stdout.write(text)
        sys.stdout.flush()
