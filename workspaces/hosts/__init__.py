"""The only way to hosts. Callers do not know whether a host is local or reached by SSH."""

from __future__ import annotations

from workspaces.hosts.address import Address
from workspaces.hosts.errors import HostError
from workspaces.hosts.host import Completed, HostConnection
from workspaces.hosts.registry import close_all, get
from workspaces.hosts.stream import Stream

__all__ = ["Address", "Completed", "HostConnection", "HostError", "Stream", "close_all", "get"]
