"""One child of `up`: starts it, shows its log, and restarts it."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aitask.supervisor import groups, lifeline
from aitask.supervisor.groups import Process
from aitask.supervisor.nursery import Nursery

log = logging.getLogger(__name__)

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
STABLE_SECONDS = 60.0
DEAF_SECONDS = 15.0
"How long a child may give no sign of life."
STARTING_SECONDS = 60.0
"How long until its first one."
ASLEEP_SECONDS = 5.0
"A longer pause between two calls of `tend` means that this process was stopped itself."
PROBE_SECONDS = 2.0
FIRST_PROBES_SECONDS = 0.1
"How long between two probes until the first answer."
LONGEST_LINE = 64 * 1024
Show = Callable[[str, str], None]


@dataclass(frozen=True)
class Role:
    """The name of a child, and the module with arguments that it runs.

    `answers` asks the child whether it works; without it, its heartbeats tell.
    """

    name: str
    command: Sequence[str]
    answers: Callable[[], bool] | None = None


class Child:
    """The process of a role; `tend` must be called regularly to keep it running."""

    def __init__(self, role: Role, folder: Path, show: Show, nursery: Nursery | None = None) -> None:
        self.role = role
        self._folder = folder
        self._show = show
        self._nursery = nursery
        self._process: Process | None = None
        self._started = 0.0
        self._start_at = 0.0
        self._delay = FIRST_DELAY
        self._heard = 0.0
        "When it last gave a sign of life."
        self.has_answered = False
        "Whether it has ever given a sign of life."
        self._tended = 0.0
        self._is_showing = False
        "Whether its log is being shown, which takes long while the terminal is stopped."

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
            self._postpone(now, self._process.returncode or 0)
        elif self._is_deaf(now):
            self._show("up", f"{self.role.name} has not answered for {DEAF_SECONDS:g} s; ending it")
            groups.end(self._process)
        self._tended = time.monotonic()

    def _is_deaf(self, now: float) -> bool:
        if self._is_showing or now - self._tended > ASLEEP_SECONDS:
            self._heard = max(self._heard, now)
        return now - self._heard > DEAF_SECONDS

    def ask_to_stop(self) -> None:
        if self._process is not None:
            groups.ask_to_stop(self._process)

    def has_ended(self) -> bool:
        return self._process is None or groups.has_ended(self._process)

    def end(self) -> None:
        if self._process is not None:
            groups.end(self._process)

    def _start(self) -> None:
        # Without UTF-8, Windows writes to pipes in the encoding of the country.
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        self._process = self._fork(environment)
        if self._process is None:
            arguments = [sys.executable, "-m", "aitask.supervisor.lifeline", *self.role.command]
            self._process = groups.start(arguments, folder=self._folder, environment=environment)
        self._started = time.monotonic()
        self._heard = self._started + STARTING_SECONDS - DEAF_SECONDS
        threading.Thread(target=self._read_log, args=[self._process], daemon=True).start()
        if self.role.answers:
            threading.Thread(target=self._probe, args=[self._process, self.role.answers], daemon=True).start()

    def _fork(self, environment: Mapping[str, str]) -> Process | None:
        """Start it from the nursery; None if there is none, or it does not answer."""
        if self._nursery is None:
            return None
        try:
            name = f"aitask-{self.role.name}"
            return self._nursery.start(name, self.role.command, folder=self._folder, environment=environment)
        except (OSError, ValueError) as error:
            self._show("up", f"{self.role.name} could not be forked ({error}); starting it by itself")
            return None

    def _probe(self, process: Process, answers: Callable[[], bool]) -> None:
        while self._process is process:
            if answers():
                self._hear()
            time.sleep(PROBE_SECONDS if self.has_answered else FIRST_PROBES_SECONDS)

    def _hear(self) -> None:
        self._heard = time.monotonic()
        self.has_answered = True

    def _postpone(self, now: float, code: int) -> None:
        """Schedule a restart: soon if it was running for a while, else with growing delays."""
        if now - self._started >= STABLE_SECONDS:
            self._delay = FIRST_DELAY
        self._show("up", f"{self.role.name} ended ({_reason(code)}); restarting in {self._delay:g} s")
        self._process = None
        self._start_at = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def _read_log(self, process: Process) -> None:
        """Show its lines, and note its heartbeats."""
        rest = b""
        with cast(io.BufferedReader, process.stdout) as source:
            while chunk := source.read1(LONGEST_LINE):
                if lifeline.BEAT in chunk and not self.role.answers:
                    self._hear()
                *lines, rest = (rest + chunk.replace(lifeline.BEAT, b"")).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                self._show_lines(lines)
        self._show_lines([rest] if rest else [])

    def _show_lines(self, lines: list[bytes]) -> None:
        self._is_showing = True
        for line in lines:
            self._show(self.role.name, line.decode(errors="replace").rstrip())
        self._is_showing = False


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"
