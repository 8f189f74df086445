"""Listening TCP ports of tasks: the verb `ports`."""

from __future__ import annotations

import sys
from typing import Dict, List, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class PortOwner(TypedDict):
    """How the processes of a task are known."""

    folders: List[str]
    "The folders of its runs."
    worktree: str


class PortsParams(TypedDict):
    tasks: Dict[str, PortOwner]
    "By any name, which the answer uses, too."
    known: NotRequired[str]
    "The digest of an answer. The next one is given when it is different, or after `wait` seconds."
    wait: NotRequired[float]


class OpenPort(TypedDict):
    """A port on which a process of a task listens."""

    port: int
    address: str
    "The loopback address that reaches it."
    program: str


class OpenPorts(TypedDict):
    supported: bool
    "Whether this host has /proc, from which ports are read."
    digest: str
    tasks: Dict[str, List[OpenPort]]
