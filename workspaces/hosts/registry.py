"""One HostConnection per address and process."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import datetime

from aitask.lib import sleep
from workspaces.hosts.address import Address
from workspaces.hosts.errors import HostError
from workspaces.hosts.host import HostConnection
from workspaces.hosts.hub import hub

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


def give_up_links(began: datetime, ended: datetime) -> None:
    """Close the links to other machines after this one has slept; whoever uses them opens new ones."""
    reason = f"This machine slept from {began.astimezone():%H:%M} to {ended.astimezone():%H:%M}."
    for host in list(_hosts.values()):
        if host.address.kind != "local":
            with contextlib.suppress(HostError):  # this process is being stopped
                hub().run(host.give_up_link(reason))


sleep.woke.join(give_up_links)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for host in _hosts.values():
        host.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
