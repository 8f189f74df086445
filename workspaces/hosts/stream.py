"""A stream of items from a host, read by one thread."""

from __future__ import annotations

import queue
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Literal

from workspaces.hostkit.wire import Json, TailChangeParams, TailItem
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Link

UNREAD_LIMIT = 32 << 20
"""Bytes that may be unread. Ending a stream loses nothing: it can be opened again from an offset."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Stream:
    """Items in the order in which the host sent them. Methods may be called from any thread."""

    def __init__(self, link: Link, run: Run) -> None:
        self._link = link
        self._run = run
        self._items: queue.SimpleQueue[tuple[TailItem, int] | HostError] = queue.SimpleQueue()
        self._received = self._read = 0
        "Bytes that came, and bytes that were read: each is counted by one thread only."
        self._error: HostError | None = None
        self._number = 0

    async def open(self, verb: str, params: Json) -> None:
        """Open the stream on the host. Must be called on the hub's loop."""
        self._number = await self._link.open_stream(verb, params, self._take, self._end)

    def get(self, timeout: float | None = None) -> TailItem | None:
        """Return the next item; None if none came within `timeout` seconds.

        Raises HostError: link_lost, overrun (too much unread), or stream_ended after the last item.
        """
        if self._error:
            raise self._error
        try:
            entry = self._items.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(entry, HostError):
            self._error = entry
            raise entry
        item, size = entry
        self._read += size
        return item

    def __iter__(self) -> Iterator[TailItem]:
        while True:
            try:
                if (item := self.get()) is not None:
                    yield item
            except HostError as error:
                if error.code == "stream_ended":
                    return
                raise

    def send(self, verb: Literal["tail_change"], params: TailChangeParams, *, timeout: float = 30.0) -> None:
        """Send a request about this stream, for example tail_change. Raises HostError."""
        self._run(self._link.call(verb, {"tail": self._number, **params}, timeout))

    def close(self) -> None:
        """Cancel the stream on the host; unread items are lost."""
        self._run(self._cancel())

    async def _cancel(self) -> None:
        self._link.cancel(self._number)

    def _take(self, item: TailItem, size: int) -> None:
        if self._received + size - self._read > UNREAD_LIMIT:
            self._link.drop(self._number)
            self._end(HostError("A reader of events was too slow.", code="overrun", retryable=True))
            return
        self._received += size
        self._items.put((item, size))

    def _end(self, error: HostError | None) -> None:
        self._items.put(error or HostError("The stream has ended.", code="stream_ended"))
