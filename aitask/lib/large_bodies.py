"""Bodies of requests that stay in the web server's temporary file until the app reads them.

Daphne would put all of a body into a queue in memory first, which is the size of every upload at once.
"""

from __future__ import annotations

from typing import IO, Any

LARGE = 256 << 10
"""Bytes of a body that does not go through memory."""
CHUNK = 64 << 10
EXTENSION = "aitask.body"


def with_large_bodies(app: Any) -> Any:
    """Wrap an ASGI application, so that it reads a large body from its file."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = (scope.get("extensions") or {}).get(EXTENSION) if scope["type"] == "http" else None
        await app(scope, LargeBody(body, receive) if body else receive, send)

    return application


class LargeBody:
    """The messages of a request with a large body: its parts, then those of the server."""

    def __init__(self, body: IO[bytes], receive: Any) -> None:
        self._body, self._receive = body, receive
        self._is_read = False

    async def __call__(self) -> Any:
        if self._is_read:
            message = await self._receive()
            # The server's own message about the body is empty.
            return await self._receive() if message["type"] == "http.request" else message
        data = self._body.read(CHUNK)
        self._is_read = len(data) < CHUNK
        if self._is_read:
            self._body.close()
        return {"type": "http.request", "body": data, "more_body": not self._is_read}
