"""The hubs of this process, callable from any event loop or thread."""

from __future__ import annotations

import threading

from terminal.control.hub import TerminalHub
from workspaces import hosts, tmux
from workspaces.hosts.hub import hub as hosts_hub
from workspaces.hosts.hub import on_hub as run
from workspaces.hosts.hub import soon

__all__ = ["close_all", "earlier_hub_of", "hub_of", "run", "soon"]

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


def close_all() -> None:
    """End all channels of this process."""
    for hub in list(_hubs.values()):
        hosts_hub().run(hub.close())
    _hubs.clear()
