"""Limits of HTTP that apply before the app sees a request: the size of a body, and idle connections."""

from __future__ import annotations

import io
from typing import IO, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from aitask.lib.large_bodies import LARGE

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


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is refused with 413 before more than the limit has been kept."""

    content: Any
    _received = 0
    _is_refused = False
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
        if length is not None and length > self._limit:
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._limit and not self._is_refused:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.channel.factory.waiting.pop(self.channel, None)
        if self._is_refused:
            self.channel.loseConnection()
        else:
            if self._received > LARGE and not self.requestHeaders.hasHeader(b"Upgrade"):
                self.body, self.content = self.content, io.BytesIO()
                self.body.seek(0)
            super().requestReceived(command, path, version)

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
