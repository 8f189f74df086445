"""The hubs of this process, callable from any event loop or thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from terminal.control.hub import TerminalHub
from workspaces import hosts
from workspaces.hosts.hub import hub as hosts_hub

T = TypeVar("T")

_hubs: dict[str, TerminalHub] = {}
_lock = threading.Lock()


def hub_of(address: hosts.Address) -> TerminalHub:
    """Return the hub of a host, creating it if needed. It connects when it is first used."""
    host = hosts.get(address)
    with _lock:
        if address.key not in _hubs:
            _hubs[address.key] = TerminalHub(host)
        return _hubs[address.key]


async def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a hub's coroutine on the hub's loop and return its result."""
    if hosts_hub().is_here:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, hosts_hub().loop))


def soon(call: Callable[..., object], *arguments: object) -> None:
    """Call a method of a hub on the hub's loop, in the order of these calls.

    Called on that loop, it runs immediately.
    """
    owner = hosts_hub()
    if owner.is_here:
        call(*arguments)
    else:
        owner.loop.call_soon_threadsafe(call, *arguments)


def close_all() -> None:
    """End all channels of this process."""
    for hub in list(_hubs.values()):
        hosts_hub().run(hub.close())
    _hubs.clear()
