"""Keeps a few helper processes. They end with this process: their input, a pipe, ends with it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from aitask.lib.helper.answers import FOREVER, Answers, key_of

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = (sys.executable, "-m", "aitask.lib.helper.program")
VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV")
MOST_HELPERS = 2
START_SECONDS = 10.0
"""How long the very first helper is waited for: it executes nothing of others' meanwhile."""
RESTART_SECONDS = 0.2
"""How long a later one is waited for."""
MAX_ANSWER = 16 << 20
REMEMBERED = 8 << 20
"""Characters of answers that are remembered."""
AGAIN_SECONDS = 60.0
"""When a text is tried again that was given up for lack of time, but not because of itself."""
HURRY_SECONDS = 10.0
"""How long the limits are tight after a text took too long, so that many such texts do not add up."""


class JobLimits(NamedTuple):
    """Seconds for one job: of the helper's processor time, and of the clock."""

    processor: float
    clock: float


USUAL, TIGHT = JobLimits(0.5, 0.65), JobLimits(0.04, 0.08)


class JobResult(NamedTuple):
    """What came of a job, and whether it is all."""

    value: Any
    is_whole: bool


class Helper:
    """One helper process, for one job at a time."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        self.process = subprocess.Popen(
            PROGRAM,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.is_ready = False
        self._lines: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="helper", daemon=True).start()

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait for its start. Return False if it has not started, or has ended since."""
        if not self.is_ready:
            with contextlib.suppress(queue.Empty):
                self.is_ready = self._lines.get(timeout=max(0.0, seconds)) == ["ready"]
        return self.is_ready and self.process.poll() is None

    def work(self, limits: JobLimits, job: list[str]) -> JobResult:
        """Do a job. If it is not whole, the helper has to be ended."""
        deadline = time.monotonic() + limits.clock
        line = json.dumps([limits.processor, *job]).encode() + b"\n"
        value: Any = None
        try:
            stdin = cast(IO[bytes], self.process.stdin)
            stdin.write(line)
            stdin.flush()
            while (answer := self._lines.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
                if answer[0] == "end":
                    return JobResult(value, is_whole=True)
                value = (value or []) + answer[1] if answer[0] == "add" else answer[1]
        except (queue.Empty, OSError, ValueError):
            pass
        return JobResult(value, is_whole=False)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            cast(IO[bytes], self.process.stdin).close()

    def leave(self) -> None:
        """Close our ends of its pipes, in a forked child of its owner."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                os.close(cast(IO[bytes], pipe).fileno())

    def _read(self) -> None:
        """Pass on its answers, and None at its end."""
        with cast(IO[bytes], self.process.stdout) as source, contextlib.suppress(OSError, ValueError):
            while (line := source.readline(MAX_ANSWER)).endswith(b"\n"):
                self._lines.put(json.loads(line))
        self._lines.put(None)


class HelperPool:
    """Helpers that are started when they are needed."""

    def __init__(self) -> None:
        self._answers = Answers(REMEMBERED)
        self._condition = threading.Condition()
        self._idle: list[Helper] = []
        self._all: list[Helper] = []
        self._late: deque[float] = deque(maxlen=1)
        "When a job last took too long."
        self._has_worked = False
        atexit.register(self.close)

    def ask(self, operation: str, *arguments: str) -> Any:
        """Return the result; None or a part of it if it takes too long."""
        key = key_of(operation, arguments)
        if remembered := self._answers.get(key):
            return remembered.value
        limits = TIGHT if self._is_in_a_hurry() else USUAL
        helper = self._take(limits)
        if helper is None:
            return None
        outcome = JobResult(None, is_whole=False)
        try:
            outcome = helper.work(limits, [operation, *arguments])
        finally:
            self._give_back(helper, outcome)
        self._answers.put(key, outcome.value, seconds=self._counts_for(outcome, helper, limits))
        return outcome.value

    def close(self) -> None:
        """End all helpers."""
        with self._condition:
            helpers, self._all, self._idle = self._all, [], []
        for helper in helpers:
            helper.end()

    def leave(self) -> None:
        """Forget all helpers without ending them, in a forked child."""
        atexit.unregister(self.close)
        for helper in self._all:
            helper.leave()

    def _is_in_a_hurry(self) -> bool:
        return bool(self._late) and time.monotonic() - self._late[-1] < HURRY_SECONDS

    def _counts_for(self, outcome: JobResult, helper: Helper, limits: JobLimits) -> float:
        """Return for how many seconds an answer counts: forever if the text itself needs too much time."""
        ended_by_itself = helper.process.returncode != -9
        return FOREVER if outcome.is_whole or (limits is USUAL and ended_by_itself) else AGAIN_SECONDS

    def _take(self, limits: JobLimits) -> Helper | None:
        """Return a helper for one job; None if none is free in time."""
        helper = self._free_one(limits.clock)
        if helper is None:
            return None
        later = RESTART_SECONDS if limits is USUAL else 0.0
        if helper.wait_until_ready(later if self._has_worked else START_SECONDS):
            self._has_worked = True
            return helper
        if self._has_worked and helper.process.poll() is None:
            self._put_back(helper)
        else:
            self._discard(helper)
        return None

    def _free_one(self, seconds: float) -> Helper | None:
        deadline = time.monotonic() + seconds
        with self._condition:
            while True:
                if self._idle:
                    return self._idle.pop()
                if len(self._all) < MOST_HELPERS:
                    return self._start()
                if not self._condition.wait(deadline - time.monotonic()):
                    return None

    def _start(self) -> Helper | None:
        try:
            helper = Helper()
        except OSError:
            return None
        self._all.append(helper)
        return helper

    def _give_back(self, helper: Helper, outcome: JobResult) -> None:
        if outcome.is_whole:
            self._put_back(helper)
            return
        self._late.append(time.monotonic())
        self._discard(helper)
        with self._condition:  # the next one starts while nobody waits for it
            if len(self._all) < MOST_HELPERS and (following := self._start()):
                self._idle.append(following)
                self._condition.notify()

    def _put_back(self, helper: Helper) -> None:
        with self._condition:
            self._idle.append(helper)
            self._condition.notify()

    def _discard(self, helper: Helper) -> None:
        with self._condition:
            if helper in self._all:
                self._all.remove(helper)
            self._condition.notify()
        helper.end()
