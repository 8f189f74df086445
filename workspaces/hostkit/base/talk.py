"""Asking a CLI something: it is started for the one question, in a folder of no repository."""

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
from typing import Deque, Dict, Iterator, List, Sequence

from .. import processes
from ..wire import Json

CHUNK = 1 << 16
PATIENCE = 3600.0
NONSENSE = (ValueError, LookupError, TypeError, AttributeError)
"""What is raised where an answer of a CLI looks other than expected."""
LAST_WORDS = 400
"""Characters of a CLI's complaint that are passed on."""


class NoAnswer(Exception):
    """The CLI did not say what it was asked; the text is a sentence."""


class NotSupported(NoAnswer):
    """This version of the CLI does not know the question."""


class NoPlan(NoAnswer):
    """The login that it works with has no plan: an API key, or there is none."""


class Talk:
    """The CLI and lines of JSON both ways, until a deadline (monotonic seconds)."""

    def __init__(self, argv: Sequence[str], env: Dict[str, str], deadline: float) -> None:
        self.program = Path(argv[0]).name
        self._deadline = deadline
        self._unread: Deque[Json] = deque()
        self._rest = b""
        self._folder = tempfile.mkdtemp(prefix="aitask-models-")
        self._complaints = Path(self._folder, "stderr")
        try:
            self.process = self._start(argv, env)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, argv: Sequence[str], env: Dict[str, str]) -> "subprocess.Popen[bytes]":
        with self._complaints.open("wb") as complaints:
            return subprocess.Popen(
                argv,
                env={**env, processes.MARKER: self._folder, "PWD": self._folder},
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
            )

    def send(self, *messages: Json) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # its end shows when its answer is read
            for message in messages:
                self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self, patience: float = PATIENCE) -> Iterator[Json]:
        """What it says, other lines than JSON objects left out. Raises NoAnswer at its end or in silence."""
        until = min(self._deadline, time.monotonic() + patience)
        while True:
            while self._unread:
                yield self._unread.popleft()
            self._read(until)

    def _read(self, until: float) -> None:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, until - time.monotonic())):
                raise NoAnswer(f"{self.program} did not answer in time{self._last_words()}")
        chunk = os.read(self.process.stdout.fileno(), CHUNK)
        if not chunk:
            raise NoAnswer(f"{self.program} ended without an answer{self._last_words()}")
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        self._unread.extend(filter(None, map(_parsed, whole)))

    def end(self) -> None:
        """End the CLI and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        processes.sweep_marked(self._folder)

    def close(self) -> None:
        """`end`, and leave nothing lying about."""
        self.end()
        with suppress(OSError):  # what was not flushed to a dead CLI
            self.process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _last_words(self) -> str:
        text = " ".join(self._complaints.read_text("utf-8", "replace").split())
        return f": {text[-LAST_WORDS:]}" if text else "."


def output_of(argv: List[str], env: Dict[str, str], deadline: float) -> str:
    """What a command prints. Raises TimeoutExpired or OSError."""
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
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
