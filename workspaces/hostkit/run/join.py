"""`join`: the new window of a live run whose tmux server has ended. It shows all that the run has printed.

The run's own terminal is gone. What it prints is read from its record; what is typed is sent to its control
socket.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..control_client import NoListener, send_command
from ..folder import RunFolder
from ..wire import Json
from . import terminal
from .record import older
from .shell import become_shell
from .window import WindowServer, hung_up_by_person

REPRINTED_BYTES = 4 * 1024 * 1024
POLL_SECONDS = 0.1
ANSWER_SECONDS = 5.0


def main(path: str) -> int:
    folder = RunFolder(path)
    spec = folder.read_spec()
    if spec is None:
        print(f"There is no run in {path}.", file=sys.stderr)
        return 2
    window = JoinedWindow(folder)
    if window.show():
        become_shell(spec)
    return 0


class RecordReader:
    """Reads the record of a run's terminal as it grows, starting with its newest part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._ready = _tail(self._file, REPRINTED_BYTES)
        with suppress(OSError), older(path).open("rb") as earlier:
            self._ready = _tail(earlier, REPRINTED_BYTES - len(self._ready)) + self._ready

    def read(self) -> bytes:
        """Return what is new. A full record continues in a new file of the same name."""
        data, self._ready = self._ready + self._file.read(), b""
        if not data and self._is_replaced():
            self._file.close()
            self._file = self.path.open("rb")
            data = self._file.read()
        return data

    def _is_replaced(self) -> bool:
        try:
            return self.path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except OSError:
            return False


def _tail(source: BinaryIO, limit: int) -> bytes:
    """Return the last `limit` bytes; the file is then at its end."""
    source.seek(max(0, os.fstat(source.fileno()).st_size - limit))
    return source.read()


class JoinedWindow:
    """This window, as the terminal of the run."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.server = WindowServer.current()
        self._hung_up = False
        self._typed = b""
        self._inputs = [terminal.STDIN]
        for number in (signal.SIGQUIT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGINT, lambda *_: self._send({"command": "interrupt", "by": "keyboard"}))
        signal.signal(signal.SIGHUP, self._on_hangup)

    def _on_hangup(self, *_: object) -> None:
        self._hung_up = True

    def show(self) -> bool:
        """Show the run until it ends. Return False if this window was closed before."""
        modes = terminal.save_modes()
        terminal.prepare_modes()
        record = RecordReader(self.folder.terminal)
        while not self._hung_up:
            is_over = self.folder.guard_pid() is None
            shown = self._print(record.read())
            if is_over and not shown:
                terminal.restore_modes(modes)
                return True
            self._read_keyboard(0.0 if shown else POLL_SECONDS)
        self._report_hangup()
        return False

    def _report_hangup(self) -> None:
        by_person = hung_up_by_person(self.server)
        self._send({"command": "hang_up" if by_person else "window_lost"})

    def _print(self, data: bytes) -> bool:
        rest = data.replace(b"\r\n", b"\n")  # the terminal adds the carriage returns
        with suppress(OSError):  # the window was closed
            while rest:
                rest = rest[os.write(1, rest) :]
        return bool(data)

    def _read_keyboard(self, seconds: float) -> None:
        ready, _, _ = select.select(self._inputs, [], [], seconds)
        if not ready:
            if not self._inputs:
                time.sleep(seconds)
            return
        try:
            data = os.read(terminal.STDIN, 65536)
        except OSError:
            data = b""
        if not data:
            self._inputs = []
        *lines, self._typed = (self._typed + data).split(b"\n")
        for line in lines:
            self._send({"command": "keyboard", "line": line.decode("utf-8", "replace").strip()})

    def _send(self, command: Json) -> None:
        try:
            answer = send_command(self.folder.control, command, ANSWER_SECONDS)
        except (NoListener, socket.timeout, ValueError):
            answer = {"ok": False, "error": "the run did not answer: it may be ending"}
        if not answer.get("ok"):
            self._print(f"{answer.get('error')}\n".encode())
