"""What is left out of a connection by SSH does not change what it sends."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from workspaces.hosts.ssh_light import _send_together


class Connection:
    """Notes what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def _send(self, data: bytes) -> None:
        self.sent.append(data)


def test_packets_of_one_turn_are_sent_in_two_pieces_and_in_their_order() -> None:
    connection = Connection()

    async def send() -> None:
        _send_together(cast(Any, connection))
        for turn in (b"abc", b"d", b"efg"):
            for each in turn:
                connection._send(bytes([each]))
            await asyncio.sleep(0)

    asyncio.run(send())
    assert connection.sent == [b"a", b"bc", b"d", b"e", b"fg"]
