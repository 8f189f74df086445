"""A fast path for short WebSocket messages, which saves tenths of a millisecond per key in a terminal.

A server that supports it (`aitask.web`) puts a `Direct` into the scope's extensions. Any other message goes
through the server's parser to the same listener.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.asyncioreactor import AsyncioSelectorReactor

EXTENSION = "aitask.lib.fast_socket"
TEXT, BINARY = 0x81, 0x82
"""First bytes of frames that contain a whole message."""
MASKED, SHORT = 0x80, 125


class Direct(Protocol):
    """A WebSocket that its application uses directly, on the server's loop only."""

    def listen(self, on_message: Callable[[bytes | str], None]) -> None:
        """From now on, call `on_message` with each message instead of the application's `receive`."""

    def send(self, message: bytes | str) -> None:
        """Send as soon as the browser takes it; do nothing if it has disconnected."""


def direct_of(scope: Any) -> Direct | None:
    """Return the `Direct` of a scope; None if the server does not support it."""
    direct: Direct | None = scope.get("extensions", {}).get(EXTENSION)
    return direct


def short_message(data: bytes) -> bytes | str | None:
    """Return a browser's message if the data is exactly one short frame, else None."""
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
    """Return a server's message as one frame."""
    first, payload = (BINARY, message) if isinstance(message, bytes) else (TEXT, message.encode())
    size = len(payload)
    if size <= SHORT:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def write_soon(transport: Any, data: bytes) -> None:
    """Write to a Twisted transport at once, unless earlier data is pending. It would wait for the loop."""
    if not has_pending_data(transport):
        written = transport.writeSomeData(data)
        if isinstance(written, int):  # else the connection is closed, which its reader will notice
            data = data[written:]
    if data:
        transport.write(data)


def has_pending_data(transport: Any) -> bool:
    """Return whether a Twisted transport has unwritten data; always True with TLS."""
    return bool(getattr(transport, "_tempDataBuffer", True) or transport.dataBuffer)


def read_directly(transport: Any) -> None:
    """Read from a Twisted transport without its context for log messages, until reading is paused.

    The context costs as much time as reading a short message.
    """
    reactor = getattr(transport, "reactor", None)
    if isinstance(reactor, AsyncioSelectorReactor) and transport in reactor._readers:
        loop = asyncio.get_running_loop()
        loop.add_reader(transport.fileno(), reactor._readOrWrite, transport, True)
