"""The head of an answer to a request of a preview."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from twisted.web.http_headers import Headers

from aitask.lib.exchange import Exchange


class Wire:
    """A connection that takes all that is written."""

    def __init__(self) -> None:
        self.written = b""
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []

    def writeSomeData(self, data: bytes) -> int:
        self.written += data
        return len(data)


def answered(
    headers: list[tuple[bytes, bytes]],
    *body: bytes,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    persistent: bool = True,
) -> bytes:
    """Return what the browser gets."""

    async def answer() -> bytes:
        wire, nothing = Wire(), lambda *_: None
        channel = SimpleNamespace(transport=wire, persistent=persistent)
        request = SimpleNamespace(method=method, uri=b"/", clientproto=version, channel=channel)
        request.requestHeaders = Headers()
        request.registerProducer = request.unregisterProducer = nothing
        request.let_body_flow = request.finish_exchange = nothing
        exchange = Exchange(request, has_body=False)
        exchange.start(200, b"", headers)
        for each in body:
            await exchange.write(each)
        exchange.end()
        return wire.written

    return asyncio.run(answer())


def test_a_body_of_known_length_is_sent_as_it_is() -> None:
    length = [(b"Content-Length", b"4")]
    assert answered(length, b"ab", b"cd") == b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"


def test_a_body_of_unknown_length_is_sent_in_chunks_and_one_of_old_http_until_the_end() -> None:
    in_chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    assert answered([], b"ab", b"") == in_chunks
    old = answered([], b"ab", version=b"HTTP/1.0", persistent=False)
    assert old == b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nab"


def test_the_answer_to_head_has_no_body() -> None:
    assert answered([], b"ab", method=b"HEAD") == b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b=c", b"a\nb", b"a\rb", b"a\r\n\r\n<script>"])
def test_a_header_that_would_be_two_is_not_sent(value: bytes) -> None:
    with pytest.raises(ValueError, match="end of a line"):
        answered([(b"X-A", value)])
