"""Patience with a CLI whose program is being replaced by an update while a run starts."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import Optional

from .. import environment
from ..base.cli import AgentCli
from ..base.program import fingerprint

PAUSE = 0.3
CHANGE_SECONDS = 3.0
"""How long to wait, after a CLI has died at its start, for its program to become another one."""
BUSY = (errno.ENOENT, errno.ETXTBSY, errno.ESTALE, errno.ENOEXEC)


class Replacement:
    """Finds the program of a run. Waits for at most so many seconds altogether."""

    def __init__(self, cli: AgentCli, path: str, seconds: float) -> None:
        self._cli = cli
        self._path = path
        self._deadline = time.monotonic() + seconds
        self._started = ""

    async def find(self) -> Optional[str]:
        """Return the program; None if it is still missing when the patience ends."""
        while True:
            program = environment.find(self._cli.program, self._path)
            if program or not self._is_patient:
                self._started = self._print_of(program)
                return program
            await asyncio.sleep(PAUSE)

    async def may_pass(self, error: OSError) -> bool:
        """Wait a moment, and return whether starting the program is worth another try after this error."""
        if error.errno not in BUSY or not self._is_patient:
            return False
        await asyncio.sleep(PAUSE)
        return True

    async def was_replaced(self) -> bool:
        """Return whether the program that was found last is another one now, or becomes one in a moment."""
        until = min(self._deadline, time.monotonic() + CHANGE_SECONDS)
        while self._is_patient:
            program = environment.find(self._cli.program, self._path)
            if program and self._print_of(program) != self._started:
                return True
            if program and time.monotonic() > until:
                return False
            await asyncio.sleep(PAUSE)
        return False

    @property
    def _is_patient(self) -> bool:
        return time.monotonic() < self._deadline

    def _print_of(self, program: Optional[str]) -> str:
        return fingerprint(self._cli.program_files(program)) if program else ""
