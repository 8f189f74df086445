"""The one door to the machines that agents work on. Above it nobody knows whether a host is local or far."""

from __future__ import annotations

from workspaces.hosts.address import Address
from workspaces.hosts.errors import HostError
from workspaces.hosts.host import Completed, HostConnection
from workspaces.hosts.registry import close_all, get
from workspaces.hosts.stream import Stream

__all__ = ["Address", "Completed", "HostConnection", "HostError", "Stream", "close_all", "get"]
