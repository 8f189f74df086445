"""A request whose body, and whose answer's body, are streams; and connections that become raw sockets.

Daphne keeps the whole body of a request before it tells the application of it, and buffers an answer without
limit. Previews need neither: see `BoundedRequest` in `aitask/lib/http_limits.py`. All of it is used on the
loop of the web server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.web.http import NO_BODY_CODES

from aitask.lib.chunks import Chunks
from aitask.lib.fast_socket import read_directly, write_soon

Headers = list[tuple[bytes, bytes]]

LINGER_SECONDS = 5.0
"""How long the rest of a body is read and discarded after its request has been answered."""


class Exchange:
    """One request, and the answer to it."""

    def __init__(self, request: Any, *, has_body: bool) -> None:
        self._request = request
        self.method: bytes = request.method
        self.target: bytes = request.uri
        self.headers: Headers = [
            (name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values
        ]
        self.has_body = has_body
        self.has_started = False
        "Whether the answer has begun."
        self._is_plain = False
        "Whether the answer's body is sent as it is: it exists, and is not sent in chunks."
        self._body = Chunks(request.let_body_flow)
        if not has_body:
            self._body.complete()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_over = False

    def header(self, name: bytes) -> bytes:
        """Return the value of a header; empty if it is missing, or given more than once."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[0] if len(values) == 1 else b""

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    async def read(self) -> bytes:
        """Return the next bytes of the body; empty at its end."""
        return await self._body.read()

    def start(self, status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin the answer."""
        self.has_started = True
        self._request.setResponseCode(status, reason or None)
        for name, value in headers:
            self._request.responseHeaders.addRawHeader(name, value)
        self._request.registerProducer(self, True)
        self._request.write(b"")
        has_body = self.method != b"HEAD" and status not in NO_BODY_CODES
        self._is_plain = has_body and not self._request.chunked

    async def write(self, data: bytes) -> None:
        """Send a part of the answer's body; wait while the browser does not read."""
        if self._is_plain and self._request.channel is not None:
            write_soon(self._request.channel.transport, data)
        else:
            self._request.write(data)
        if not self._may_write.is_set():
            await self._may_write.wait()

    def write_last(self, data: bytes) -> None:
        """Send a short body, and complete the answer."""
        self._request.write(data)
        self.end()

    def end(self) -> None:
        """Complete the answer. What is left of the request's body is discarded."""
        if self._is_over:
            return
        self._is_over = True
        if self._request.channel is not None:
            self._request.unregisterProducer()
        self._body.take_all()
        if self._body.is_complete:
            self._request.finish_exchange()
        else:
            self._request.let_body_flow(True)
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._request.give_up_body)

    def abort(self) -> None:
        """Close the connection at once: the browser must not take what it has for the whole answer."""
        self._is_over = True
        self._request.abort_exchange()

    def upgrade(self, status_line: bytes, headers: Iterable[tuple[bytes, bytes]]) -> RawSocket:
        """Answer with 101, and return the connection as a raw socket."""
        self._is_over = True
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        socket: RawSocket = self._request.become_raw(RawSocket())
        socket.write(status_line + b"\r\n" + head + b"\r\n")
        return socket

    # Called by the request:

    def feed(self, data: bytes) -> None:
        if data and not self._is_over:
            self._body.feed(data)

    def feed_end(self) -> None:
        self._body.complete()
        if self._is_over:
            self._request.finish_exchange()

    def pauseProducing(self) -> None:
        self._may_write.clear()

    def resumeProducing(self) -> None:
        self._may_write.set()

    def stopProducing(self) -> None:
        self._may_write.set()


class RawSocket(Protocol):
    """The bytes of a connection, after it has changed its protocol."""

    transport: Any

    def __init__(self) -> None:
        self.on_data: Callable[[bytes], None] | None = None
        self.on_pause: Callable[[bool], None] = lambda _: None
        "Called with whether the browser does not read."
        self.on_end: Callable[[], None] = lambda: None
        self._early: list[bytes] = []
        self._is_open = True

    def listen(
        self, on_data: Callable[[bytes], None], on_pause: Callable[[bool], None], on_end: Callable[[], None]
    ) -> None:
        """From now on, pass on what arrives; first what has arrived already."""
        self.on_data, self.on_pause, self.on_end = on_data, on_pause, on_end
        early, self._early = self._early, []
        for data in early:
            on_data(data)
        if not self._is_open:
            on_end()
        elif self.transport:
            read_directly(self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self.on_data:
            self.on_data(data)
        else:
            self._early.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        if self._is_open:
            self._is_open = False
            self.on_end()

    def write(self, data: bytes) -> None:
        if self._is_open:
            write_soon(self.transport, data)

    def close(self) -> None:
        """Send what is still to be sent, and close."""
        if self._is_open and self.transport:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def let_flow(self, flows: bool) -> None:
        """Read from the browser, or don't."""
        if self._is_open and self.transport:
            (self.transport.resumeProducing if flows else self.transport.pauseProducing)()
            read_directly(self.transport)

    def pauseProducing(self) -> None:
        self.on_pause(True)

    def resumeProducing(self) -> None:
        self.on_pause(False)

    def stopProducing(self) -> None:
        """Twisted calls it when the connection is lost."""
