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
from twisted.web.http import NO_BODY_CODES, RESPONSES

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
        self._named: dict[bytes, list[bytes]] = {
            name.lower(): values for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.headers: Headers = [
            (name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values
        ]
        self.has_body = has_body
        self.has_started = False
        "Whether the answer has begun."
        self._has_answer_body = False
        self._is_chunked = False
        self._head = b""
        "The head of the answer, until it is sent with the beginning of the body."
        self._body = Chunks(request.let_body_flow)
        if not has_body:
            self._body.complete()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_over = False

    def header(self, name: bytes) -> bytes:
        """Return the value of a header; empty if it is missing, or given more than once."""
        values = self._named.get(name, [])
        return values[0] if len(values) == 1 else b""

    def values(self, name: bytes) -> list[bytes]:
        """Return all values of a header. Names are in lower case here and in `header`."""
        return self._named.get(name, [])

    async def read(self) -> bytes:
        """Return the next bytes of the body; empty at its end."""
        return await self._body.read()

    def start(self, status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin the answer. Raises ValueError if a name or value of a header contains the end of a line.

        The head is written here, as Twisted would take several times as long for it. It waits for the rest
        of this turn of the loop, so that one packet has the beginning of the body, too.
        """
        request, given = self._request, list(headers)
        self.has_started = request.startedWriting = True
        request.code = status
        request.registerProducer(self, True)
        self._has_answer_body = self.method != b"HEAD" and status not in NO_BODY_CODES
        has_length = any(name.lower() == b"content-length" for name, _ in given)
        self._is_chunked = self._has_answer_body and not has_length and request.clientproto == b"HTTP/1.1"
        if self._is_chunked:
            given.append((b"Transfer-Encoding", b"chunked"))
        if request.channel is not None and not request.channel.persistent:
            given.append((b"Connection", b"close"))
        first = b"%s %d %s" % (request.clientproto, status, reason or RESPONSES.get(status, b""))
        head = b"\r\n".join([first, *(b"%s: %s" % header for header in given), b"\r\n"])
        if {head.count(b"\r"), head.count(b"\n")} != {len(given) + 2}:
            raise ValueError("A header of an answer contains the end of a line.")
        self._head = head
        asyncio.get_running_loop().call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._head:
            self._send(b"")

    def _send(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if self._request.channel is not None:
            write_soon(self._request.channel.transport, head + data)

    async def write(self, data: bytes) -> None:
        """Send a part of the answer's body; wait while the browser does not read."""
        if data and self._has_answer_body:
            self._send(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)
        if not self._may_write.is_set():
            await self._may_write.wait()

    def write_last(self, data: bytes) -> None:
        """Send a short body of known length, and complete the answer."""
        if self._has_answer_body:
            self._send(data)
        self.end()

    def end(self) -> None:
        """Complete the answer. What is left of the request's body is discarded."""
        if self._is_over:
            return
        self._is_over = True
        if self._is_chunked:
            self._send(b"0\r\n\r\n")
        self._send_head()
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
        self._is_over, self._head = True, b""
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
