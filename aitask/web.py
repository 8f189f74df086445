"""The web server: daphne, with a direct way to its sockets for those who ask for it. `python -m aitask.web`
takes daphne's options.

Daphne's own way of a message is a general parser, a queue and a task; for a key in a terminal that is more
than all else that this process does with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

# TLS is ended by a proxy in front of us; Twisted loads some MB for its own unless it finds no OpenSSL.
sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]

from autobahn.exception import Disconnected
from daphne.cli import CommandLineInterface
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from aitask.lib.fast_socket import EXTENSION, frame, short_message
from workspaces.hosts.hub import share_running_loop

log = logging.getLogger(__name__)
INTERNAL_ERROR = 1011
LEAVE_SECONDS = 3.0
M_ARENA_MAX = -8
"""Of glibc's malloc.h; other libraries don't know it and do nothing."""


class DirectSocket(WebSocketProtocol):  # type: ignore[misc]
    """Daphne's socket as an `aitask.lib.fast_socket.Direct`."""

    _take: Callable[[bytes | str], None] | None = None

    def listen(self, take: Callable[[bytes | str], None]) -> None:
        self._take = take

    def send(self, message: bytes | str) -> None:
        """Written in this turn of the loop unless earlier data waits; Twisted alone waits for the next."""
        if self.state != self.STATE_OPEN:
            return
        data = frame(message)
        if not waits_to_be_written(self.transport):
            written = self.transport.writeSomeData(data)
            if isinstance(written, int):  # else the connection is gone, which its reader will find
                data = data[written:]
        if data:
            self.transport.write(data)

    def serverSend(self, content: bytes | str, binary: bool = False) -> None:
        """For a page that has just gone, of which its consumer will hear, it is no failure."""
        with contextlib.suppress(Disconnected):
            super().serverSend(content, binary)

    def dataReceived(self, data: bytes) -> None:
        """A short message takes the direct way, unless the parser is in the middle of another."""
        if self._take and self.state == self.STATE_OPEN and self._is_between_messages():
            message = short_message(data)
            if message is not None:
                self._give(message)
                return
        super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self._take:
            self._give(payload if isBinary else payload.decode())
        else:
            super().onMessage(payload, isBinary)

    def _is_between_messages(self) -> bool:
        return not self.data and self.current_frame is None and not self.inside_message

    def _give(self, message: bytes | str) -> None:
        self.last_ping = time.time()
        if self._take and not self.muted:
            try:
                self._take(message)
            except Exception:
                log.exception("socket %s failed", self.path)
                self.serverClose(INTERNAL_ERROR)


def waits_to_be_written(transport: Any) -> bool:
    """Whether data of a Twisted transport is on its way to the system; TLS always has some work to do."""
    return bool(getattr(transport, "_tempDataBuffer", True) or transport.dataBuffer)


class DirectServer(Server):  # type: ignore[misc]
    """Tells a socket's application about the direct way, and shares its loop with the hosts' connections."""

    def run(self) -> None:
        twisted_loop.call_soon(share_running_loop)
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> asyncio.Queue[Any]:
        if isinstance(protocol, DirectSocket):
            scope["extensions"] = {EXTENSION: protocol}
        queue: asyncio.Queue[Any] = super().create_application(protocol, scope)
        return queue


class CommandLine(CommandLineInterface):  # type: ignore[misc]
    server_class = DirectServer


def keep_memory_together() -> None:
    """glibc gives each thread a heap of its own, which is never given back: two for all are enough here."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def leave_soon() -> None:
    """Threads that still work may finish; one that waits for the loop, which has stopped, would never end."""
    last_word = threading.Timer(LEAVE_SECONDS, os._exit, [0])
    last_word.daemon = True
    last_word.start()


def main() -> None:
    keep_memory_together()
    WebSocketFactory.protocol = DirectSocket
    CommandLine.entrypoint()
    leave_soon()


if __name__ == "__main__":
    main()
