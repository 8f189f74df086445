"""What applies before the app sees a request: limits of its body and of idle connections, and previews.

A request to a preview (`aitask/lib/preview_hosts.py`) never reaches the app: its body is not limited, as it
is not kept but passed on.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from typing import IO, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.utils import HEADER_NAME_RE, INVALID_HEADER_VALUE_BYTES
from django.conf import settings
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from aitask.lib import preview_hosts
from aitask.lib.exchange import Exchange, RawSocket
from aitask.lib.large_bodies import LARGE

log = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
"""How long a refused body is still read (and discarded): a client may read its answer only afterwards."""
UPLOAD = b"/api/attachments"
"""The path at which files are uploaded."""
AROUND_FILE = 64 << 10
"""Bytes of an upload that are not the file."""
MOST_IDLE = 400
"""Connections without a complete request. A process often has only 1,024 file descriptors."""


class BoundedChannel(HTTPChannel):
    """A connection that is closed if it waits for a request and too many newer ones wait, too."""

    def connectionMade(self) -> None:
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.factory.wait(self)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.factory.waiting.pop(self, None)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self.persistent:
            self.factory.wait(self)

    def allContentReceived(self) -> None:
        if self.requests:  # else the rest of a body whose request has been answered
            super().allContentReceived()  # type: ignore[no-untyped-call]


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is refused with 413 before more than the limit has been kept."""

    content: Any
    _received = 0
    _is_refused = False
    _exchange: Exchange | None = None
    "Set for a request to a preview."
    _is_raw = False

    _limit = 0
    body: IO[bytes] | None = None
    """A large body, which the app reads from this file instead of a queue in memory."""

    @property
    def limit(self) -> int:
        """The most bytes of its body: more for the upload of a file."""
        path: bytes = getattr(self.channel, "_path", b"") or getattr(self, "uri", b"")
        is_upload = path.partition(b"?")[0] == UPLOAD
        file: int = settings.ATTACHMENT_BYTES + AROUND_FILE
        usual: int = settings.MAX_REQUEST_BYTES
        return max(file, usual) if is_upload else usual

    def gotLength(self, length: int | None) -> None:
        """Called after the headers; `length` is None for a chunked body."""
        self._limit = self.limit
        if preview_hosts.any_below(self.requestHeaders.getRawHeaders(b"host", [])):
            self._begin_exchange(has_body=length != 0)
        elif length is not None and length > self._limit:
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        if self._exchange:
            self._exchange.feed(data)
            return
        self._received += len(data)
        if self._received > self._limit and not self._is_refused:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.channel.factory.waiting.pop(self.channel, None)
        if self._exchange:
            self._exchange.feed_end()
        elif self._is_refused:
            self.channel.loseConnection()
        else:
            if self._received > LARGE and not self.requestHeaders.hasHeader(b"Upgrade"):
                self.body, self.content = self.content, io.BytesIO()
                self.body.seek(0)
            super().requestReceived(command, path, version)

    def connectionLost(self, reason: Any) -> None:
        if self._exchange:
            self._task.cancel()
        super().connectionLost(reason)

    def _begin_exchange(self, *, has_body: bool) -> None:
        """Pass the request on while its body arrives."""
        channel = self.channel
        self.method, self.uri, self.clientproto = channel._command, channel._path, channel._version
        self.content = io.BytesIO()
        channel.factory.waiting.pop(channel, None)
        channel.setTimeout(None)  # a program may take its time to read a body
        self._exchange = Exchange(self, has_body=has_body)
        self._task = asyncio.ensure_future(self._serve(self._exchange))
        self.server.connections[self]["application_instance"] = self._task

    async def _serve(self, exchange: Exchange) -> None:
        try:
            if all(_is_valid(*header) for header in exchange.headers):
                await self.channel.factory.serve_preview(exchange)
            else:
                exchange.start(400, b"Bad Request", [(b"Content-Length", b"0")])
                exchange.end()
        except Exception:
            log.exception("a request to a preview failed")
            exchange.abort()
        finally:
            if self._is_raw:
                self.server.protocol_disconnected(self)

    def let_body_flow(self, flows: bool) -> None:
        """Read the body from the browser, or don't."""
        if self.channel is not None:
            producer = self.channel._networkProducer
            (producer.resumeProducing if flows else producer.pauseProducing)()

    def finish_exchange(self) -> None:
        """Complete the answer, unless the connection is lost."""
        if self.channel is not None and not self.finished and not self._disconnected:
            self.channel.setTimeout(self.channel.timeOut)
            self.finish()

    def give_up_body(self) -> None:
        """Complete the answer without the rest of the body, after which the connection can't be used."""
        if self.channel is not None and not self.finished:
            self.channel.persistent = 0
            self.finish_exchange()

    def abort_exchange(self) -> None:
        if self.channel is not None:
            self.channel.transport.abortConnection()

    def become_raw(self, socket: RawSocket) -> RawSocket:
        """Give the connection to `socket`. The request stays known to Daphne as long as its task runs."""
        channel, self._is_raw = self.channel, True
        channel.setTimeout(None)
        transport, early = channel.transport, b"".join(channel._dataBuffer)
        transport.unregisterProducer()
        transport.protocol = socket
        socket.makeConnection(transport)  # type: ignore[no-untyped-call]
        transport.registerProducer(socket, True)
        transport.resumeProducing()
        if early:
            socket.dataReceived(early)
        return socket

    def _refuse(self) -> None:
        self._is_refused = True
        if self.content is not None:
            self.content.close()
        self.content = io.BytesIO()
        self.requestHeaders.removeHeader(b"Expect")  # no "100 Continue" after the refusal
        self.channel.transport.write(_too_large(self._limit))
        self.channel.callLater(LINGER_SECONDS, self._disconnect)

    def _disconnect(self) -> None:
        if self.channel is not None:
            self.channel.loseConnection()


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    """Makes bounded channels, and closes the oldest idle one when there are too many."""

    protocol = BoundedChannel
    serve_preview: Callable[[Exchange], Awaitable[None]]
    "Set by `aitask/web.py`."

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.waiting: dict[BoundedChannel, None] = {}

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = BoundedRequest
        return channel

    def log(self, request: Any) -> None:
        """Write nothing: Daphne has a log of its own, and Twisted's would cost time and be shown nowhere."""

    def wait(self, channel: BoundedChannel) -> None:
        """Note that a connection has no complete request."""
        self.waiting[channel] = None
        if len(self.waiting) > MOST_IDLE:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]
            oldest.forceAbortClient()  # type: ignore[no-untyped-call]


def _is_valid(name: bytes, value: bytes) -> bool:
    """Return whether a header is one that Daphne accepts."""
    return bool(HEADER_NAME_RE.fullmatch(name)) and not INVALID_HEADER_VALUE_BYTES.intersection(value)


def _too_large(most: int) -> bytes:
    if most == settings.MAX_REQUEST_BYTES:
        limit, setting = f"{most / 1_000_000:g} MB", "MAX_REQUEST_MB"
    else:
        limit, setting = f"{settings.ATTACHMENT_BYTES >> 20} MB a file", "ATTACHMENT_MB"
    text = f"The request is too large: the limit is {limit} (setting {setting})."
    lines = (
        "HTTP/1.1 413 Content Too Large",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Connection: close",
        "",
        text,
    )
    return "\r\n".join(lines).encode()
