"""A bounded queue of bytes: what has arrived and has not been read. Its sender waits while it is full."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MOST_UNREAD = 256 * 1024
"""Bytes that are kept before their sender has to wait."""


class Chunks:
    """Used on one event loop. `let_flow` is called with whether the sender may go on, when that changes."""

    def __init__(self, let_flow: Callable[[bool], object]) -> None:
        self._let_flow = let_flow
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._arrived = asyncio.Event()
        self.is_complete = False

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        before, self._unread = self._unread, self._unread + len(data)
        if before <= MOST_UNREAD < self._unread:
            self._let_flow(False)
        self._arrived.set()

    def complete(self) -> None:
        """Nothing more will come."""
        self.is_complete = True
        self._arrived.set()

    async def read(self) -> bytes:
        """Return the next bytes; empty when all have been read."""
        while not self._chunks and not self.is_complete:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._chunks:
            return b""
        chunk = self._chunks.popleft()
        before, self._unread = self._unread, self._unread - len(chunk)
        if before > MOST_UNREAD >= self._unread:
            self._let_flow(True)
        return chunk

    def take_all(self) -> list[bytes]:
        """Return what has not been read."""
        found, was_full = list(self._chunks), self._unread > MOST_UNREAD
        self._chunks.clear()
        self._unread = 0
        if was_full:
            self._let_flow(True)
        return found
