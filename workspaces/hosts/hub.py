"""The event loop that owns all connections of this process, and the door to it for other threads.

It runs in a thread of its own, unless the process has a loop that it may share: a key typed in a terminal is
twice as fast without two changes of thread. A forked child gets a hub of its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from workspaces.hosts.errors import HostError

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""How often who waits for the loop sees whether it still runs."""

_hub: HostLoop | None = None
_lock = threading.Lock()
_inherited: list[HostLoop] = []
descriptors: set[int] = set()
"""Open pipes and sockets of the connections, which a forked child must let go of."""


class HostLoop:
    """One event loop: a loop that runs already in the calling thread, or one in a thread of its own."""

    def __init__(self, running: asyncio.AbstractEventLoop | None = None) -> None:
        self.pid = os.getpid()
        self.loop = running or _new_loop()
        self._thread = threading.current_thread()
        if running is None:
            self._thread = threading.Thread(target=self._work, name="hosts", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    @property
    def is_here(self) -> bool:
        """Whether the caller is on the loop itself."""
        return threading.current_thread() is self._thread

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop and wait for its result; leaving early (a signal's exception) cancels it.

        Raises HostError when the loop has stopped, as the web server's does when it is told to go.
        """
        if self.is_here:
            coroutine.close()
            raise RuntimeError("The door to hosts was called from its own event loop.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return self._result(future)
        except BaseException:
            future.cancel()
            raise

    def _result(self, future: concurrent.futures.Future[T]) -> T:
        while True:
            done, _ = concurrent.futures.wait([future], LOOK_SECONDS)
            if done:
                return future.result()
            if not self._thread.is_alive() or self.loop.is_closed() or not self.loop.is_running():
                raise HostError("The server is going down.", code="link_lost", retryable=True)


def hub() -> HostLoop:
    """The hub of this process; started when first asked for."""
    global _hub
    with _lock:
        if _hub is None or _hub.pid != os.getpid():
            _hub = HostLoop()
        return _hub


def share_running_loop() -> None:
    """Let the loop that runs here own the connections, unless there is a hub already.

    For a process whose loop never waits for anything else. On Windows the web server's can't start processes.
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
    """In the child: start anew, and hold none of the parent's connections open.

    The parent's objects are kept, never closed: closing them would speak on connections that are not ours.
    Their descriptors point to the null device from now on, so that a host sees its end when the parent goes.
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
