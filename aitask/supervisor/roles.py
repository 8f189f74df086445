"""One child of `up`: starts it, shows its log, and restarts it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from aitask.supervisor import groups

log = logging.getLogger(__name__)

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
STABLE_SECONDS = 60.0
Show = Callable[[str, str], None]


@dataclass(frozen=True)
class Role:
    """The name of a child, and the module with arguments that it runs."""

    name: str
    command: Sequence[str]


class Child:
    """The process of a role; `tend` must be called regularly to keep it running."""

    def __init__(self, role: Role, folder: Path, show: Show) -> None:
        self.role = role
        self._folder = folder
        self._show = show
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._start_at = 0.0
        self._delay = FIRST_DELAY

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def tend(self) -> None:
        """Start it if that is due, and note if it has ended."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self._start()
        elif groups.has_ended(self._process):
            self._postpone(now, self._process.returncode)

    def ask_to_stop(self) -> None:
        if self._process is not None:
            groups.ask_to_stop(self._process)

    def has_ended(self) -> bool:
        return self._process is None or groups.has_ended(self._process)

    def end(self) -> None:
        if self._process is not None:
            groups.end(self._process)

    def _start(self) -> None:
        arguments = [sys.executable, "-m", "aitask.supervisor.lifeline", *self.role.command]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        self._process = groups.start(arguments, folder=self._folder, environment=environment)
        self._started = time.monotonic()
        threading.Thread(target=self._read_log, args=[self._process], daemon=True).start()

    def _postpone(self, now: float, code: int) -> None:
        """Schedule a restart: soon if it was running for a while, else with growing delays."""
        if now - self._started >= STABLE_SECONDS:
            self._delay = FIRST_DELAY
        self._show("up", f"{self.role.name} ended ({_reason(code)}); restarting in {self._delay:g} s")
        self._process = None
        self._start_at = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        with cast(IO[bytes], process.stdout) as lines:
            for line in lines:
                self._show(self.role.name, line.decode(errors="replace").rstrip())


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"
