"""A sender waits while too much of what it has sent is unread."""

from __future__ import annotations

import asyncio

from aitask.lib.chunks import MOST_UNREAD, Chunks


def test_the_sender_waits_while_the_queue_is_full() -> None:
    async def told() -> tuple[list[bool], list[bytes]]:
        flows: list[bool] = []
        chunks = Chunks(flows.append)
        chunks.feed(b"x" * MOST_UNREAD)
        assert flows == []
        chunks.feed(b"y")
        chunks.complete()
        return flows, [await chunks.read(), await chunks.read(), await chunks.read()]

    flows, read = asyncio.run(told())
    assert flows == [False, True]
    assert read == [b"x" * MOST_UNREAD, b"y", b""]


def test_who_takes_all_at_once_lets_the_sender_go_on() -> None:
    flows: list[bool] = []
    chunks = Chunks(flows.append)
    chunks.feed(b"x" * MOST_UNREAD)
    chunks.feed(b"y")
    assert chunks.take_all() == [b"x" * MOST_UNREAD, b"y"]
    assert flows == [False, True]
    assert not chunks
