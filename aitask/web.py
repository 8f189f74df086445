"""The web server: Daphne with a fast path for short WebSocket messages.

`python -m aitask.web` takes Daphne's options. Daphne itself passes each message through a general parser, a
queue and a task. For a key typed in a terminal, that costs more than everything else in this process.
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
from pathlib import Path
from types import ModuleType
from typing import Any

import django

# A proxy terminates TLS. Without OpenSSL, Twisted does not load some MB for its own TLS support.
sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]
# Django Ninja imports a signal from `django.test`, which loads the test client and unittest with it: two MB.
if "django.test" not in sys.modules:
    signals_only = sys.modules["django.test"] = ModuleType("django.test")
    signals_only.__path__ = [str(Path(django.__file__).with_name("test"))]

import daphne.server
from autobahn.exception import Disconnected
from daphne.cli import CommandLineInterface
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from aitask.lib import large_bodies
from aitask.lib.exchange import Exchange
from aitask.lib.fast_socket import EXTENSION, frame, read_directly, short_message, write_soon
from aitask.lib.http_limits import BoundedFactory, BoundedRequest
from workspaces.hosts.hub import share_running_loop

log = logging.getLogger(__name__)
INTERNAL_ERROR = 1011
EXIT_SECONDS = 3.0
MOST_DESCRIPTORS = 16_384
M_TRIM_THRESHOLD, M_ARENA_MAX = -1, -8
"""From glibc's malloc.h; other C libraries ignore them."""
UNUSED_BYTES = 64 * 1024
"""Unused memory at the end of the heap that is kept."""


class DirectSocket(WebSocketProtocol):  # type: ignore[misc]
    """Daphne's WebSocket with the interface of `aitask.lib.fast_socket.Direct`."""

    _on_message: Callable[[bytes | str], None] | None = None

    def listen(self, on_message: Callable[[bytes | str], None]) -> None:
        self._on_message = on_message
        read_directly(self.transport)

    def send(self, message: bytes | str) -> None:
        """Write at once unless earlier data is pending; Twisted would wait for the loop's next iteration."""
        if self.state != self.STATE_OPEN:
            return
        write_soon(self.transport, frame(message))

    def serverSend(self, content: bytes | str, binary: bool = False) -> None:
        """Ignore a page that has just disconnected; its consumer will be notified."""
        with contextlib.suppress(Disconnected):
            super().serverSend(content, binary)

    def dataReceived(self, data: bytes) -> None:
        """Use the fast path for a short message, unless the parser is in the middle of another one."""
        if self._on_message and self.state == self.STATE_OPEN and self._is_between_messages():
            message = short_message(data)
            if message is not None:
                self._dispatch(message)
                return
        super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self._on_message:
            self._dispatch(payload if isBinary else payload.decode())
        else:
            super().onMessage(payload, isBinary)

    def _is_between_messages(self) -> bool:
        return not self.data and self.current_frame is None and not self.inside_message

    def _dispatch(self, message: bytes | str) -> None:
        self.last_ping = time.time()
        if self._on_message and not self.muted:
            try:
                self._on_message(message)
            except Exception:
                log.exception("socket %s failed", self.path)
                self.serverClose(INTERNAL_ERROR)


class DirectServer(Server):  # type: ignore[misc]
    """Offers the fast path to a socket's application, and shares its loop with the connections to hosts."""

    def run(self) -> None:
        twisted_loop.call_soon(share_running_loop)
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> asyncio.Queue[Any]:
        if isinstance(protocol, DirectSocket):
            scope["extensions"] = {EXTENSION: protocol}
        elif isinstance(protocol, BoundedRequest) and protocol.body is not None:
            scope["extensions"] = {large_bodies.EXTENSION: protocol.body}
        queue: asyncio.Queue[Any] = super().create_application(protocol, scope)
        return queue


class CommandLine(CommandLineInterface):  # type: ignore[misc]
    server_class = DirectServer


def limit_malloc_arenas() -> None:
    """Let all threads share one heap: glibc creates one per thread, and never frees their memory."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
            ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, UNUSED_BYTES)


def raise_descriptor_limit() -> None:
    """Allow as many open files as the system permits: by default often only 1,024, sockets included."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def exit_soon() -> None:
    """Exit after a few seconds: a thread that waits for the stopped loop would never end."""
    timer = threading.Timer(EXIT_SECONDS, os._exit, [0])
    timer.daemon = True
    timer.start()


async def serve_preview(exchange: Exchange) -> None:
    """Answer a request to a preview. Its modules are only imported when one is used."""
    from tasks.previews.proxy import serve

    await serve(exchange)


def main() -> None:
    limit_malloc_arenas()
    raise_descriptor_limit()
    WebSocketFactory.protocol = DirectSocket
    daphne.server.HTTPFactory = BoundedFactory
    BoundedFactory.serve_preview = staticmethod(serve_preview)
    CommandLine.entrypoint()
    exit_soon()


if __name__ == "__main__":
    main()
