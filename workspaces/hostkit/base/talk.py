"""Queries to a CLI, which is started for each query in a folder outside of any repository."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Callable, Deque, Dict, Iterator, List, Optional, Sequence

from .. import processes
from ..files import loads
from ..wire import Json

CHUNK = 1 << 16
MAX_LINE = 64 << 20
NO_TIMEOUT = 3600.0
ENDING_SECONDS = 2.0
"""How long a CLI may take to end after its output has ended."""
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions that are raised when an answer of a CLI has an unexpected structure."""
MAX_ERROR_TEXT = 400
"""Characters of a CLI's standard error that are quoted."""


class NoAnswer(Exception):
    """The CLI did not answer the query. The message is a sentence."""


class NoMoreTime(NoAnswer):
    """The CLI has not answered in time."""


class NotSupported(NoAnswer):
    """This version of the CLI does not support the query."""


class NoPlan(NoAnswer):
    """The CLI's login has no plan: it is an API key, or there is no login."""


class Talk:
    """A running CLI that exchanges lines of JSON with us until a deadline (monotonic seconds).

    `fill` may write files into its folder before it is started. `cwd` is another folder for it to work in.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Dict[str, str],
        deadline: float,
        fill: Optional[Callable[[Path], None]] = None,
        *,
        cwd: Optional[str] = None,
    ) -> None:
        self.program = Path(argv[0]).name
        self._deadline = deadline
        self._unread: Deque[Json] = deque()
        self._rest = b""
        self._folder = tempfile.mkdtemp(prefix="aitask-models-")
        self._stderr = Path(self._folder, "stderr")
        try:
            if fill:
                fill(Path(self._folder))
            self.process = self._start(argv, env, cwd or self._folder)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, argv: Sequence[str], env: Dict[str, str], cwd: str) -> "subprocess.Popen[bytes]":
        with self._stderr.open("wb") as stderr:
            return subprocess.Popen(
                argv,
                env={**env, processes.MARKER: self._folder, "PWD": cwd},
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def folder(self) -> str:
        """The folder that the CLI works in."""
        return self._folder

    def send(self, *messages: Json) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # its end is noticed when the answer is read
            for message in messages:
                self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self, timeout: float = NO_TIMEOUT) -> Iterator[Json]:
        """Yield the JSON objects in its output. Raises NoAnswer at its end and after `timeout` seconds."""
        until = min(self._deadline, time.monotonic() + timeout)
        while True:
            while self._unread:
                yield self._unread.popleft()
            self._read(until)

    def next_line(self, timeout: float) -> Json:
        """Return the next object in its output. Raises NoMoreTime, or NoAnswer at its end."""
        until = min(self._deadline, time.monotonic() + timeout)
        while not self._unread:
            self._read(until)
        return self._unread.popleft()

    @property
    def is_over_time(self) -> bool:
        return time.monotonic() >= self._deadline

    def how_it_ended(self) -> str:
        """Return its exit status or signal and its last words; empty if it has not ended."""
        with suppress(subprocess.TimeoutExpired):
            status = self.process.wait(ENDING_SECONDS)
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            return f"({how}){self._error_text()}"
        return ""

    def _read(self, until: float) -> None:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            left = until - time.monotonic()  # a CLI that never stops printing is too slow, too
            if left <= 0 or not selector.select(left):
                raise NoMoreTime(f"{self.program} did not answer in time{self._error_text()}")
        chunk = os.read(self.process.stdout.fileno(), CHUNK)
        if not chunk:
            raise NoAnswer(f"{self.program} ended without an answer{self._error_text()}")
        if len(self._rest) > MAX_LINE:
            raise NoAnswer(f"{self.program} printed a line without end.")
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        self._unread.extend(filter(None, map(_parsed, complete)))

    def end(self) -> None:
        """Kill the CLI and all processes that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        processes.sweep_marked(self._folder)

    def close(self) -> None:
        """Kill the CLI, and remove its folder."""
        self.end()
        with suppress(OSError):  # input that the CLI did not read
            self.process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _error_text(self) -> str:
        text = " ".join(self._stderr.read_text("utf-8", "replace").split())
        return f": {text[-MAX_ERROR_TEXT:]}" if text else "."


def output_of(argv: List[str], env: Dict[str, str], deadline: float) -> str:
    """Return the standard output of a command. Raises TimeoutExpired or OSError."""
    return subprocess.run(
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=max(0.1, deadline - time.monotonic()),
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ).stdout


def _parsed(line: bytes) -> Json:
    try:
        value = loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
