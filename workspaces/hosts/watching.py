"""What is watched on hosts: one stream per host and kind, for all watchers of this process.

Everything here runs on the event loop of the hosts, but `start` and `stop`, which any thread may call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from workspaces.hosts.address import Address
from workspaces.hosts.hub import soon

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds before a failed stream is opened again: doubled at each failure, with jitter."""
UNWATCHED_SECONDS = 5.0
"""How long a stream without watchers stays open, so that a reload finds it."""


class HasAddress(Protocol):
    address: Address


W = TypeVar("W", bound=HasAddress)


class WatchedHost(ABC, Generic[W]):
    """All watchers of one host. Its task runs as long as there are any."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._changed = asyncio.Event()
        "Set when others are watched."
        self._task: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE

    def add(self, watch: W) -> None:
        self.address = watch.address  # a user may have accepted a host key
        self._enter(watch)
        if self._task is None or self._task.done():
            self._pause = FIRST_PAUSE
            self._task = asyncio.create_task(self._serve())

    @abstractmethod
    def remove(self, watch: W) -> None: ...

    @property
    @abstractmethod
    def is_watched(self) -> bool: ...

    @abstractmethod
    def _enter(self, watch: W) -> None:
        """Take a watcher in."""

    @abstractmethod
    async def _serve(self) -> None:
        """Tell the watchers what there is until nobody watches."""

    def _succeeded(self) -> None:
        self._pause = FIRST_PAUSE

    async def _wait_after_failure(self) -> None:
        await asyncio.sleep(self._pause * random.uniform(0.7, 1.3))  # noqa: S311
        self._pause = min(LONGEST_PAUSE, self._pause * 2)

    async def _is_watched_again(self) -> bool:
        """Wait for a moment for another watcher."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNWATCHED_SECONDS):
                while not self.is_watched:
                    self._changed.clear()
                    await self._changed.wait()
        return self.is_watched


class WatchedHosts(Generic[W]):
    """The hosts of which something of one kind is watched."""

    def __init__(self, make: Callable[[Address], WatchedHost[W]]) -> None:
        self._make = make
        self.by_key: dict[str, WatchedHost[W]] = {}
        if hasattr(os, "register_at_fork"):  # the loop of the parent does not run in a child
            os.register_at_fork(after_in_child=self.by_key.clear)

    def start(self, watch: W) -> None:
        """Let the host tell a watcher what it wants to know."""
        soon(self._start, watch)

    def stop(self, watch: W) -> None:
        soon(self._stop, watch)

    def _start(self, watch: W) -> None:
        host = self.by_key.get(watch.address.key)
        if host is None:
            host = self.by_key[watch.address.key] = self._make(watch.address)
        host.add(watch)

    def _stop(self, watch: W) -> None:
        host = self.by_key.get(watch.address.key)
        if host:
            host.remove(watch)
