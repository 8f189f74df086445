"""The event loop that owns all connections of this process, and how other threads call it.

It runs in its own thread, unless it may share a loop of the process: a key typed in a terminal is twice as
fast without two changes of thread. A forked child gets its own hub.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aitask.lib import sleep
from workspaces.hosts.errors import HostError

T = TypeVar("T")

POLL_SECONDS = 1.0
"""How often a waiting thread checks whether the loop is still running."""

_hub: HostLoop | None = None
_lock = threading.Lock()
_inherited: list[HostLoop] = []
descriptors: set[int] = set()
"""Open pipes and sockets of the connections, which a forked child must not hold open."""


class HostLoop:
    """One event loop: the running loop of the calling thread, or a new one in its own thread."""

    def __init__(self, running: asyncio.AbstractEventLoop | None = None) -> None:
        self.pid = os.getpid()
        self.loop = running or _new_loop()
        self._thread = threading.current_thread()
        sleep.watch()
        if running is None:
            self._thread = threading.Thread(target=self._work, name="hosts", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    @property
    def is_here(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return threading.current_thread() is self._thread

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; an exception (of a signal) here cancels it.

        Raises HostError if the loop has stopped, as the web server's does at a shutdown.
        """
        future = self.start(coroutine)
        try:
            return self.result(future)
        except BaseException:
            future.cancel()
            raise

    def start(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop, and return at once."""
        if self.is_here:
            coroutine.close()
            raise RuntimeError("A host was called synchronously from the hub's own event loop.")
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def result(self, future: concurrent.futures.Future[T]) -> T:
        """Wait for a result. Raises what the coroutine raises, or HostError as `run` does."""
        while True:
            done, _ = concurrent.futures.wait([future], POLL_SECONDS)
            if done:
                return future.result()
            if not self._thread.is_alive() or self.loop.is_closed() or not self.loop.is_running():
                raise HostError("The server is shutting down.", code="link_lost", retryable=True)


def hub() -> HostLoop:
    """Return the hub of this process; the first call starts it."""
    global _hub
    with _lock:
        if _hub is None or _hub.pid != os.getpid():
            _hub = HostLoop()
        return _hub


async def on_hub(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the hub's loop, from any loop, and return its result."""
    owner = hub()
    if owner.is_here:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, owner.loop))


def soon(call: Callable[..., object], *arguments: object) -> None:
    """Call a function on the hub's loop, in the order of these calls.

    Called on that loop, it runs immediately.
    """
    owner = hub()
    if owner.is_here:
        call(*arguments)
    else:
        owner.loop.call_soon_threadsafe(call, *arguments)


def share_running_loop() -> None:
    """Let the running loop own the connections, unless there is a hub already.

    For a process whose loop never blocks. Does nothing on Windows, where the web server's loop can't start
    processes.
    """
    global _hub
    with _lock:
        if sys.platform != "win32" and (_hub is None or _hub.pid != os.getpid()):
            _hub = HostLoop(asyncio.get_running_loop())


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.SelectorEventLoop()


def _after_fork() -> None:
    """Reset the hub in a forked child, without holding the parent's connections open.

    The parent's objects are kept and never closed: closing them would write to the parent's connections.
    Their descriptors are redirected to the null device, so that the connections end when the parent exits.
    """
    global _hub, _lock
    _lock = threading.Lock()
    if _hub is None:
        return
    _inherited.append(_hub)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor, inheritable=False)
    os.close(null)
    descriptors.clear()
    _hub = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
