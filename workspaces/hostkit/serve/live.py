"""`live`: streams what the agents of several runs are writing, from the control sockets of their runners."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from typing import Dict, List, Optional

from ..control_address import reachable
from ..files import dumps, loads
from ..folder import RunFolder
from ..wire import LIVE_RATE, Json, LiveDetail, LiveParams
from .requests import Request
from .waker import Waker

RETRY_SECONDS = 0.5
"""How often a runner that does not listen is tried again: it may not have started yet."""
MAX_LINE = 3 * 1024 * 1024
"""Bytes of a message; the runner's are shorter. The app accepts lines of 4 MiB."""
CHUNK = 256 * 1024


def live(params: LiveParams, request: Request) -> Json:
    """Run until the request is cancelled. See LiveItem for the items."""
    streams = _Streams(request)
    try:
        streams.change(params.get("runs") or {}, [])
        streams.run()
    finally:
        streams.close()
    return {}


class _Streams:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.runs: Dict[str, _LiveRun] = {}
        self._waker = Waker(request)

    def close(self) -> None:
        for run in self.runs.values():
            run.disconnect()
        self._waker.close()

    def change(self, add: Dict[str, LiveDetail], remove: List[str]) -> None:
        for name in [*remove, *add]:
            run = self.runs.pop(name, None)
            if run:
                run.disconnect()
        for name, detail in add.items():
            self.runs[name] = _LiveRun(name, detail)

    def run(self) -> None:
        while not self.request.cancelled:
            for message in self.request.read_inbox():
                self.change(message.get("add") or {}, message.get("remove") or [])
            for run in self.runs.values():
                run.connect(self.request)
            self._wait()

    def _wait(self) -> None:
        """Wait for messages, and pass them on."""
        now = time.monotonic()
        open_runs = {run.link.fileno(): run for run in self.runs.values() if run.link and run.due <= now}
        poll = select.poll()
        for number in (self._waker.fileno(), *open_runs):
            poll.register(number, select.POLLIN)
        later = [run.due - now for run in self.runs.values() if not run.over and run.due > now]
        for number, _ in poll.poll(min(later) * 1000 + 1 if later else None):
            if number in open_runs:
                open_runs[number].read(self.request)
            else:
                self._waker.clear()


class _LiveRun:
    """One runner, and what of its next message has arrived."""

    def __init__(self, name: str, detail: LiveDetail) -> None:
        self.name = name
        self.detail = detail
        self.folder = RunFolder(name)
        self.link: Optional[socket.socket] = None
        self.over = False
        self.due = 0.0
        "When to connect or to read again (monotonic)."
        self._buffer = bytearray()

    def connect(self, request: Request) -> None:
        """Connect if the runner listens; note if it never will."""
        if self.link or self.over or time.monotonic() < self.due:
            return
        self.link = _connected(self.folder.control, dumps({"command": "live", "detail": self.detail}))
        if self.link is None:
            self.due = time.monotonic() + RETRY_SECONDS
            if self.folder.outcome.exists():
                self._end(request)

    def read(self, request: Request) -> None:
        """Pass on the complete messages that have arrived, but not faster than a runner sends them.

        An agent could have put a socket of its own in the runner's place.
        """
        try:
            chunk = self.link.recv(CHUNK) if self.link else b""
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        self.due = time.monotonic() + len(chunk) / LIVE_RATE
        self._buffer += chunk
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest
        for line in lines:
            if not _is_message(line):
                self._end(request)
                return
            request.item(b'{"dir":' + dumps(self.name) + b',"live":' + bytes(line) + b"}")
        if not chunk or len(rest) > MAX_LINE:
            self._item(request, "lost")
            self.disconnect()
            self.due = time.monotonic() + RETRY_SECONDS

    def _end(self, request: Request) -> None:
        self.over = True
        self.disconnect()
        self._item(request, "ended")

    def _item(self, request: Request, what: str) -> None:
        request.item(dumps({"dir": self.name, what: True}))

    def disconnect(self) -> None:
        if self.link:
            self.link.close()
        self.link = None
        self._buffer = bytearray()


def _connected(path: Path, command: bytes) -> Optional[socket.socket]:
    """Return a connection that does not block, after sending the command; None if nobody listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.setblocking(False)
    try:
        with reachable(path) as address:
            link.connect(address)
        link.sendall(command + b"\n")
    except OSError:
        link.close()
        return None
    return link


def _is_message(line: bytearray) -> bool:
    """Whether a line is a message. A runner of an earlier version answers that it has no such command."""
    try:
        message = loads(bytes(line))
    except ValueError:
        return False
    return isinstance(message, dict) and ("parts" in message or "line" in message)
