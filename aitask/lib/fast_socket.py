"""Messages of a WebSocket without the server's machinery between, for sockets where tenths of a ms are felt.

A server that can do it (`aitask.web`) puts a `Direct` into the scope's extensions. Everything else, and any
message that is not short and whole, goes the usual way and comes to the same listener.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

EXTENSION = "aitask.lib.fast_socket"
TEXT, BINARY = 0x81, 0x82
"""First bytes of frames that are a whole message."""
MASKED, SHORT = 0x80, 125


class Direct(Protocol):
    """A WebSocket as its application may use it, on the server's loop only."""

    def listen(self, take: Callable[[bytes | str], None]) -> None:
        """From now on messages are given to `take` as they come, not to the application's `receive`."""

    def send(self, message: bytes | str) -> None:
        """Send at once, or as soon as the browser takes it; nothing happens when it has gone."""


def direct_of(scope: Any) -> Direct | None:
    """The direct way to the socket of this scope, where the server has one."""
    direct: Direct | None = scope.get("extensions", {}).get(EXTENSION)
    return direct


def short_message(data: bytes) -> bytes | str | None:
    """The message of a browser if the data is one short frame and nothing else."""
    size = len(data) - 6
    if not 0 <= size <= SHORT or data[1] != MASKED | size or data[0] not in (TEXT, BINARY):
        return None
    key = data[2:6] * (size // 4 + 1)
    bits = int.from_bytes(data[6:], "big") ^ int.from_bytes(key[:size], "big")
    payload = bits.to_bytes(size, "big")
    if data[0] == BINARY:
        return payload
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def frame(message: bytes | str) -> bytes:
    """A message of the server as one frame."""
    first, payload = (BINARY, message) if isinstance(message, bytes) else (TEXT, message.encode())
    size = len(payload)
    if size <= SHORT:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
