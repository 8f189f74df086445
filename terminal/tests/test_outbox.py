"""Frames reach the socket in their order, whether the server takes them at once or makes us wait."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from terminal.outbox import Outbox

FRAMES: list[Any] = [{"t": "size"}, b"one", b"two", {"t": "role"}, b"three"]
SIZE, ROLE = '{"t": "size"}', '{"t": "role"}'


@pytest.mark.parametrize("waits", [0, 0.001])
def test_frames_keep_their_order(waits: float) -> None:
    assert _sent(waits, from_thread=False) == [SIZE, b"one", b"two", ROLE, b"three", b"later"]


@pytest.mark.parametrize("waits", [0, 0.001])
def test_bytes_of_another_thread_that_follow_each_other_travel_together(waits: float) -> None:
    assert _sent(waits, from_thread=True) == [SIZE, b"onetwo", ROLE, b"three", b"later"]


def test_where_the_server_has_a_direct_way_it_is_taken() -> None:
    class Direct:
        def __init__(self) -> None:
            self.sent: list[bytes | str] = []

        def listen(self, take: Any) -> None:
            raise AssertionError

        def send(self, message: bytes | str) -> None:
            self.sent.append(message)

    async def main() -> list[bytes | str]:
        async def send(_message: dict[str, Any]) -> None:
            raise AssertionError

        direct = Direct()
        put_all(Outbox(send, direct))
        return direct.sent

    assert asyncio.run(main()) == [SIZE, b"one", b"two", ROLE, b"three"]


def put_all(outbox: Outbox) -> None:
    for frame in FRAMES:
        outbox.put(frame)


def _sent(waits: float, *, from_thread: bool) -> list[Any]:
    """What the server got, by a `send` that takes so long."""

    async def main() -> list[Any]:
        sent: list[Any] = []

        async def send(message: dict[str, Any]) -> None:
            if waits:
                await asyncio.sleep(waits)
            sent.append(message.get("bytes") or message.get("text"))

        outbox = Outbox(send)
        sender = asyncio.create_task(outbox.run())
        if from_thread:
            writer = threading.Thread(target=put_all, args=[outbox])
            writer.start()
            writer.join()  # nothing is sent before the loop goes on
        else:
            put_all(outbox)
        async with asyncio.timeout(5):
            while b"three" not in sent:
                await asyncio.sleep(0.001)
            outbox.put(b"later")
            while b"later" not in sent:
                await asyncio.sleep(0.001)
        sender.cancel()
        return sent

    return asyncio.run(main())


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
