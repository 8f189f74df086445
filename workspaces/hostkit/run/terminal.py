"""The terminal of a run as the guard sees it: modes, and the last words."""

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
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(STDIN, termios.TCSANOW, modes)


def prepare_modes() -> None:
    """No flow control, which would stop us, and no job control keys; lines and echo stay the terminal's."""
    modes = save_modes()
    if modes is None:
        return
    modes[0] &= ~(termios.IXON | termios.IXOFF)
    disabled = os.fpathconf(STDIN, "PC_VDISABLE")
    for key in (termios.VQUIT, termios.VSUSP):
        modes[6][key] = bytes([disabled])
    restore_modes(modes)


def say_how_to_go_on(folder: RunFolder, spec: RunSpec, outcome: RunOutcome) -> None:
    """One line about the end, one about how a person continues by hand."""
    session = outcome.get("cli_session")
    lines = [f"-- {outcome['state']}" + (f": {outcome['reason']}" if outcome.get("reason") else "")]
    if session:
        cli = agents.get(spec["backend"])
        lines.append("-- go on by hand: " + " ".join([cli.program, *cli.resume_words, session]))
    text = "\n" + "\n".join(plain(line) for line in lines) + "\n"
    record = Record(folder.terminal)
    record.add(text.replace("\n", "\r\n").encode("utf-8", "replace"))
    record.close()
    with suppress(OSError):  # nobody may be there to read it
        sys.stdout.write(text)
        sys.stdout.flush()
