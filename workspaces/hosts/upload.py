"""Sends a file to a host over its link, in parts, beside everything else that the link is used for.

A part is small enough for a key press to wait only briefly behind it, and grows with the link's speed. Few
parts are under way at once, whatever the number of uploads, so that they need little memory.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from workspaces.hostkit import wire
from workspaces.hosts.errors import HostError
from workspaces.hosts.host import PARTS_AT_ONCE, HostConnection

SMALLEST, LARGEST = 32 << 10, 256 << 10
"""Bytes of a part, before it is encoded."""
PART_SECONDS = 0.1
"""How long a part should take."""
TORN = PARTS_AT_ONCE * LARGEST
"""Bytes at the end of an upload that was broken off of which some may be missing."""
SECONDS = 120.0
"""How long one part may take."""


@dataclass
class FileToSend:
    """A file of a task. `content` yields its bytes once, in pieces of any size."""

    params: wire.UploadParams
    content: Iterator[bytes]


def send_file(host: HostConnection, file: FileToSend) -> str:
    """Put the file on the host, and return its path there. A file that is there already is not sent.

    What an upload that was broken off has left is not sent again. Raises HostError.
    """
    begun = host.call("upload_begin", file.params, timeout=SECONDS)
    if not begun["complete"]:
        _Sending(host, file).run(max(0, begun["size"] - TORN))
        host.call("upload_end", file.params, timeout=SECONDS)
    return begun["path"]


class _Sending:
    def __init__(self, host: HostConnection, file: FileToSend) -> None:
        self._host = host
        self._params = file.params
        self._content = _Pieces(file.content)
        self._pending: deque[tuple[Future[Any], float]] = deque()
        self._size = SMALLEST

    def run(self, offset: int) -> None:
        self._content.skip(offset)
        try:
            while piece := self._content.take(self._size):
                self._send(piece, offset)
                offset += len(piece)
            while self._pending:
                self._await_first()
        finally:
            for future, _ in self._pending:
                future.cancel()
        if offset != self._params["size"]:
            reason = f"{self._params['name']} has {offset:,} bytes in place of {self._params['size']:,}."
            raise HostError(reason, code="remote_failed")

    def _send(self, piece: bytes, offset: int) -> None:
        if len(self._pending) >= PARTS_AT_ONCE:
            self._await_first()
        slots = self._host.upload_slots
        slots.acquire()
        data = base64.b64encode(piece).decode("ascii")
        params = {**self._params, "offset": offset, "data": data}
        future = self._host.begin("upload_part", params, SECONDS)
        future.add_done_callback(lambda _: slots.release())
        self._pending.append((future, time.monotonic()))

    def _await_first(self) -> None:
        future, began = self._pending.popleft()
        self._host.result(future)
        seconds = (time.monotonic() - began) / PARTS_AT_ONCE
        self._size = max(SMALLEST, min(LARGEST, int(self._size * PART_SECONDS / max(seconds, 0.01))))


class _Pieces:
    """Cuts the pieces of an iterator anew."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._rest = bytearray()

    def skip(self, count: int) -> None:
        while count > 0 and (piece := self.take(min(count, LARGEST))):
            count -= len(piece)

    def take(self, count: int) -> bytes:
        """Return so many bytes; fewer at the end only."""
        while len(self._rest) < count and (piece := next(self._content, b"")):
            self._rest += piece
        taken = bytes(self._rest[:count])
        del self._rest[:count]
        return taken
