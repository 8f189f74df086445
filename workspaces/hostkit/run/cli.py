"""The CLI as a process: lines in, lines out, its last words, its end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections import deque
from pathlib import Path
from typing import Callable, Deque, Dict, List, Optional, Set, Tuple, TypeVar

from .. import processes
from ..files import dumps
from ..wire import Json

MAX_LINE = 256 * 1024 * 1024
"""A line may carry whole files and images."""
CLOSE_SECONDS = 3.0
KILL_SECONDS = 1.5
ENDINGS = ((0, CLOSE_SECONDS), (signal.SIGINT, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS))
"""Signals in turn (0 for none), and how long each has to work."""
DRAIN_SECONDS = 1.0
KEPT_WORDS = 5
NICENESS = 5
"""Ten busy agents must not keep their own events, or a person's shell, from being served."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


T = TypeVar("T")


def _piped(part: Optional[T]) -> T:
    """A part of a process that is there because it was asked for."""
    if part is None:
        raise RuntimeError("the CLI has not been started")
    return part


class CliProcess:
    """`on_line` is called for each JSON line, `on_end` when its output ends."""

    def __init__(self, raw: Path, on_line: Callable[[Json], None], on_end: Callable[[], None]) -> None:
        self._raw = os.open(str(raw), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._on_line = on_line
        self._on_end = on_end
        self._process: Optional[asyncio.subprocess.Process] = None
        self._readers: Set["asyncio.Task[None]"] = set()
        self._words: Deque[str] = deque(maxlen=KEPT_WORDS)
        self.ended = False
        self.lines = 0

    @property
    def pid(self) -> Optional[int]:
        return self._process.pid if self._process else None

    async def start(self, argv: List[str], cwd: str, env: Dict[str, str], death_signal: int) -> None:
        """Start it in a session of its own, so that Ctrl-C and the end of the terminal do not reach it."""

        def prepare() -> None:
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.nice(NICENESS)
            if death_signal:
                processes.die_with_parent(death_signal)

        self._process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
            preexec_fn=prepare,
            limit=MAX_LINE,
        )
        out, err = self._process.stdout, self._process.stderr
        self._readers = {
            asyncio.ensure_future(self._read_lines(_piped(out))),
            asyncio.ensure_future(self._read_words(_piped(err))),
        }

    def send(self, message: Json) -> None:
        if self._process and self._process.stdin and not self.ended:
            line = dumps(message)
            self._keep(b">", line)
            self._process.stdin.write(line + b"\n")

    def _keep(self, direction: bytes, line: bytes) -> None:
        os.write(self._raw, direction + b" " + line.rstrip(b"\n") + b"\n")

    async def _read_lines(self, source: asyncio.StreamReader) -> None:
        try:
            async for line in source:
                self._keep(b"<", line)
                self._take(line)
        finally:
            self.ended = True
            self._on_end()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        self.lines += 1
        if isinstance(message, dict):
            self._on_line(message)
        else:
            self._note_words(line)

    def _note_words(self, line: bytes) -> None:
        if line.strip():
            self._words.append(COLOURS.sub("", line.decode("utf-8", "replace")).rstrip())

    async def _read_words(self, source: asyncio.StreamReader) -> None:
        async for line in source:
            self._keep(b"!", line)
            self._note_words(line)

    def last_words(self) -> Tuple[str, str]:
        """How it ended, and the end of what it said beside its protocol; who is killed has no last words."""
        status = self._process.returncode if self._process else None
        how = "" if status is None else f"signal {-status}" if status < 0 else f"exit status {status}"
        words = "" if status == -signal.SIGKILL else "\n".join(self._words)
        return how, words.strip()[-2000:]

    async def close(self) -> None:
        """Close its input and wait for its end; what does not end is killed. All output is read."""
        process = _piped(self._process)
        _piped(process.stdin).close()
        for number, seconds in ENDINGS:
            if number:
                processes.send([process.pid], number)
            if await self._has_ended(process, seconds):
                break
        await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
        for reader in self._readers:
            reader.cancel()
        self.ended = True
        os.close(self._raw)

    async def _has_ended(self, process: asyncio.subprocess.Process, seconds: float) -> bool:
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True
