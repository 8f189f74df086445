"""Wakes a thread that waits in `select` when its request gets a message or is cancelled."""

from __future__ import annotations

import os
from contextlib import suppress

from .requests import Request


class Waker:
    """A pipe that can be read from when something has happened."""

    def __init__(self, request: Request) -> None:
        self._reader, self._writer = os.pipe()
        self._closed = False
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        request.on_change(self._wake)

    def fileno(self) -> int:
        return self._reader

    def clear(self) -> None:
        """Take what has woken it."""
        os.read(self._reader, 4096)

    def close(self) -> None:
        self._closed = True
        os.close(self._reader)
        os.close(self._writer)

    def _wake(self) -> None:
        if not self._closed:
            with suppress(OSError):  # the pipe may be full of wake-ups already
                os.write(self._writer, b"!")
