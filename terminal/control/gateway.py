"""The hubs of this process, callable from any event loop or thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from terminal.control.hub import TerminalHub
from workspaces import hosts, tmux
from workspaces.hosts.hub import hub as hosts_hub

T = TypeVar("T")

_hubs: dict[tuple[str, bool], TerminalHub] = {}
_lock = threading.Lock()


def hub_of(address: hosts.Address) -> TerminalHub:
    """Return the hub of a host, creating it if needed. It connects when it is first used."""
    return _hub(address, users_server=False)


def earlier_hub_of(address: hosts.Address) -> TerminalHub | None:
    """Return the hub of the user's tmux server if an earlier version has made sessions there, else None.

    Raises HostError and TmuxError. Not for an event loop: it waits for the host.
    """
    found = tmux.earlier_server(hosts.get(address))
    return _hub(address, users_server=True) if found else None


def _hub(address: hosts.Address, *, users_server: bool) -> TerminalHub:
    host = hosts.get(address)
    with _lock:
        key = address.key, users_server
        if key not in _hubs:
            _hubs[key] = TerminalHub(host, users_server=users_server)
        return _hubs[key]


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
