"""The process of the CLI: its input and output lines, error output, and end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import deque
from pathlib import Path
from typing import Callable, Deque, Dict, List, Optional, Set, Tuple, TypeVar

from .. import processes
from ..base.attachments import may_have_content, without_content
from ..files import dumps, loads
from ..reserve import is_full
from ..wire import Json

MAX_LINE = 256 * 1024 * 1024
"""Large, because a line can contain whole files and images."""
CLOSE_SECONDS = 3.0
KILL_SECONDS = 1.5
ENDINGS = ((0, CLOSE_SECONDS), (signal.SIGINT, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS))
"""Signals in the order in which they are sent (0 for none), and the seconds to wait after each."""
DRAIN_SECONDS = 1.0
ERROR_LINES = 5
NICENESS = 5
"""Lower priority, so that many busy agents do not slow down hostkit and the user's shells."""
QUOTED = 4096
"""Bytes of an unreadable message that are reported."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


T = TypeVar("T")


def _recorded(line: bytes, message: object) -> bytes:
    """Return a line as it is recorded."""
    return dumps(without_content(message)) if message is not None and may_have_content(line) else line


def _started(value: Optional[T]) -> T:
    """Return a process or its pipe, which exists after `start`."""
    if value is None:
        raise RuntimeError("the CLI has not been started")
    return value


class CliProcess:
    """The CLI's process. It records all lines but those that only repeat a part of another one.

    Calls `on_line` for each message, `on_unread` with the beginning of a line that is only nearly one, and
    `on_end` when its output ends.
    """

    def __init__(
        self,
        raw: Path,
        on_line: Callable[[Json], None],
        on_unread: Callable[[str], None],
        on_end: Callable[[], None],
        is_partial: Callable[[Json], bool] = lambda _message: False,
    ) -> None:
        self._raw = os.open(str(raw), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._on_line = on_line
        self._on_unread = on_unread
        self._on_end = on_end
        self._is_partial = is_partial
        self._process: Optional[asyncio.subprocess.Process] = None
        self._readers: Set["asyncio.Task[None]"] = set()
        self._error_lines: Deque[str] = deque(maxlen=ERROR_LINES)
        self.ended = False
        self.lines = 0

    @property
    def pid(self) -> Optional[int]:
        return self._process.pid if self._process else None

    async def start(self, argv: List[str], cwd: str, env: Dict[str, str], death_signal: int) -> None:
        """Start it in its own session, so that it gets no signals from the terminal."""

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
            asyncio.ensure_future(self._read_lines(_started(out))),
            asyncio.ensure_future(self._read_errors(_started(err))),
        }

    def send(self, message: Json) -> None:
        if self._process and self._process.stdin and not self.ended:
            line = dumps(message)
            if not self._is_partial(message):
                self._keep(b">", _recorded(line, message))
            self._process.stdin.write(line + b"\n")

    def _keep(self, direction: bytes, line: bytes) -> None:
        kept = direction + b" " + line.rstrip(b"\n") + b"\n"
        try:
            written = os.write(self._raw, kept)
        except OSError as error:
            if not is_full(error):
                raise
            return  # the events matter more than this copy
        if written < len(kept):
            os.ftruncate(self._raw, os.fstat(self._raw).st_size - written)

    async def _read_lines(self, source: asyncio.StreamReader) -> None:
        try:
            async for line in source:
                self._take(line)
        finally:
            self.ended = True
            self._on_end()

    def _take(self, line: bytes) -> None:
        try:
            message = loads(line, depth=None)
        except ValueError:
            message = None
        self.lines += 1
        if not (isinstance(message, dict) and self._is_partial(message)):
            self._keep(b"<", _recorded(line, message))
        if isinstance(message, dict):
            self._on_line(message)
        elif line.startswith(b"{"):
            self._on_unread(line[:QUOTED].decode("utf-8", "replace").rstrip())
        else:
            self._note_error_line(line)

    def _note_error_line(self, line: bytes) -> None:
        if line.strip():
            self._error_lines.append(COLOURS.sub("", line.decode("utf-8", "replace")).rstrip())

    async def _read_errors(self, source: asyncio.StreamReader) -> None:
        async for line in source:
            self._keep(b"!", line)
            self._note_error_line(line)

    def exit_report(self) -> Tuple[str, str]:
        """Return how it ended, and the last lines that it printed outside of its protocol.

        The lines are omitted if it was killed, because then they are not the reason.
        """
        status = self._process.returncode if self._process else None
        how = "" if status is None else f"signal {-status}" if status < 0 else f"exit status {status}"
        lines = "" if status == -signal.SIGKILL else "\n".join(self._error_lines)
        return how, lines.strip()[-2000:]

    async def close(self) -> None:
        """Close its input and wait until it ends, if necessary after signals. Read all of its output."""
        process = _started(self._process)
        _started(process.stdin).close()
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
