"""The thread and event loop that own all connections of this process.

Connections never run on the web server's loop: on Windows that loop can't start processes, and a page must
not wait for a host. A forked child gets a hub of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_hub: Hub | None = None
_lock = threading.Lock()
_inherited: list[Hub] = []
descriptors: set[int] = set()
"""Open pipes and sockets of the connections, which a forked child must let go of."""


class Hub:
    """One event loop in a thread of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = _new_loop()
        self._thread = threading.Thread(target=self._work, name="hosts", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop and wait for its result; leaving early (a signal's exception) cancels it."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("The door to hosts was called from its own event loop.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def hub() -> Hub:
    """The hub of this process; started when first asked for."""
    global _hub
    with _lock:
        if _hub is None or _hub.pid != os.getpid():
            _hub = Hub()
        return _hub


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
