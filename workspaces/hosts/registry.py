"""One HostConnection per address and process."""

from __future__ import annotations

import os
import threading

from workspaces.hosts.address import Address
from workspaces.hosts.host import HostConnection

_hosts: dict[str, HostConnection] = {}
_lock = threading.Lock()


def get(address: Address) -> HostConnection:
    """Return the connection to a host, which all callers in this process share."""
    with _lock:
        host = _hosts.get(address.key)
        if host is None:
            host = _hosts[address.key] = HostConnection(address)
    host.update(address)
    return host


def close_all() -> None:
    """Close all connections of this process."""
    for host in list(_hosts.values()):
        host.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for host in _hosts.values():
        host.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
