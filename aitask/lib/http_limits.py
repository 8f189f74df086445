"""Limits of HTTP that apply before the app sees a request: the size of a body, and idle connections."""

from __future__ import annotations

import io
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

LINGER_SECONDS = 5.0
"""How long a refused body is still read (and discarded): a client may read its answer only afterwards."""
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


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is refused with 413 before more than the limit has been kept."""

    content: Any
    _received = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:
        """Called after the headers; `length` is None for a chunked body."""
        if length is not None and length > settings.MAX_REQUEST_BYTES:
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > settings.MAX_REQUEST_BYTES and not self._is_refused:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.channel.factory.waiting.pop(self.channel, None)
        if self._is_refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        self._is_refused = True
        if self.content is not None:
            self.content.close()
        self.content = io.BytesIO()
        self.requestHeaders.removeHeader(b"Expect")  # no "100 Continue" after the refusal
        self.channel.transport.write(_too_large())
        self.channel.callLater(LINGER_SECONDS, self._disconnect)

    def _disconnect(self) -> None:
        if self.channel is not None:
            self.channel.loseConnection()


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    """Makes bounded channels, and closes the oldest idle one when there are too many."""

    protocol = BoundedChannel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.waiting: dict[BoundedChannel, None] = {}

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = BoundedRequest
        return channel

    def wait(self, channel: BoundedChannel) -> None:
        """Note that a connection has no complete request."""
        self.waiting[channel] = None
        if len(self.waiting) > MOST_IDLE:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]
            oldest.forceAbortClient()  # type: ignore[no-untyped-call]


def _too_large() -> bytes:
    limit = f"{settings.MAX_REQUEST_BYTES / 1_000_000:g} MB"
    text = f"The request is too large: the limit is {limit} (setting MAX_REQUEST_MB)."
    lines = (
        "HTTP/1.1 413 Content Too Large",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Connection: close",
        "",
        text,
    )
    return "\r\n".join(lines).encode()
