"""Frames reach the socket in their order, whether the server takes them at once or makes us wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from terminal.outbox import Outbox

FRAMES: list[Any] = [{"t": "size"}, b"one", b"two", {"t": "role"}, b"three"]
SENT = ['{"t": "size"}', b"onetwo", '{"t": "role"}', b"three", b"later"]


@pytest.mark.parametrize("waits", [0, 0.001])
def test_frames_keep_their_order(waits: float) -> None:
    async def main() -> list[Any]:
        sent: list[Any] = []

        async def send(message: dict[str, Any]) -> None:
            if waits:
                await asyncio.sleep(waits)
            sent.append(message.get("bytes") or message.get("text"))

        outbox = Outbox(send)
        sender = asyncio.create_task(outbox.run())
        for frame in FRAMES:
            outbox.put(frame)
        await asyncio.sleep(waits * 2)
        outbox.put(b"later")
        async with asyncio.timeout(5):
            while len(sent) < len(SENT):
                await asyncio.sleep(0.001)
        sender.cancel()
        return sent

    assert asyncio.run(main()) == SENT


def test_a_send_that_fails_after_waiting_ends_the_socket() -> None:
    async def main() -> None:
        async def send(message: dict[str, Any]) -> None:
            await asyncio.sleep(0.001)
            raise ConnectionError("gone")

        outbox = Outbox(send)
        outbox.put(b"x")
        async with asyncio.timeout(5):
            await outbox.run()

    with pytest.raises(ConnectionError):
        asyncio.run(main())
