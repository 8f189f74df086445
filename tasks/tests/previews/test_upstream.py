"""Answers of programs, however they arrive."""

from __future__ import annotations

import asyncio

import h11
import pytest

from tasks.previews.upstream import ProgramEnded, Upstream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer_to(*pieces: bytes) -> tuple[int, bytes]:
    """Return the status and body of an answer that arrives in these pieces, before its connection ends."""

    async def read() -> tuple[int, bytes]:
        upstream = Upstream()
        await upstream.ask(b"GET", b"/", [(b"Host", b"localhost")])
        for piece in pieces:
            upstream.data_received(piece)
        upstream.closed("")
        head, body = await upstream.next_event(), b""
        while isinstance(event := await upstream.next_event(), h11.Data):
            body += event.data
        assert isinstance(head, h11.Response)
        return head.status_code, body

    return asyncio.run(read())


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_may_arrive_in_pieces_of_any_size(size: int) -> None:
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    assert answer_to(*pieces) == (200, b"ok")


@pytest.mark.parametrize("pieces", [[b"SSH-2.0"], [b"H", b"i"], [b"HTTP", b" 1"], [b"\r\n", ANSWER]])
def test_what_is_no_http_is_told_by_its_first_bytes(pieces: list[bytes]) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        answer_to(*pieces)


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        (b"GET", b"/a b", (b"Host", b"x")),
        (b"GET", b"/ HTTP/1.1\r\nX: y\r\n\r\nGET /", (b"Host", b"x")),
        (b"GET", b"/\xff", (b"Host", b"x")),
        (b"GET /", b"/", (b"Host", b"x")),
        (b"", b"/", (b"Host", b"x")),
        (b"GET", b"/", (b"Host", b"x\r\nX: y")),
        (b"GET", b"/", (b"Host", b"x\ny")),
        (b"GET", b"/", (b"Host\r\nX", b"x")),
        (b"GET", b"/", (b"", b"x")),
        (b"GET", b"/", (b"Ho st", b"x")),
    ],
)
def test_a_request_that_would_be_two_is_not_sent(
    method: bytes, target: bytes, header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(h11.LocalProtocolError):
        asyncio.run(Upstream().ask(method, target, [header]))


def test_an_end_before_the_whole_head_is_one() -> None:
    with pytest.raises((ProgramEnded, h11.RemoteProtocolError)):
        answer_to(ANSWER[:20])
