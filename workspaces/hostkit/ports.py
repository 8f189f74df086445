"""`AITASK_PORT`: a port for each worktree of this host, the same as long as the worktree exists.

All ports are recorded in one file of the state folder, so that two worktrees never get the same one, also
those of several repositories and installations. The port of a removed worktree is free again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Set, Tuple

from .files import dumps, make_private_folder, read_json, write_atomic
from .folder import state_dir
from .git.places import UnsafeGitFolder, find

NAME = "AITASK_PORT"
FIRST, LAST = 20000, 29999
"""Servers of databases and frameworks have lower ports by default, and outgoing connections higher ones."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
"""Where a server could listen: a port is free if it is free at each of them."""


def port_of(git_dir: str) -> int:
    """Return the port of the worktree with this git folder; 0 if there is none left. Raises OSError."""
    known = _read().get(git_dir)
    if known:
        return known
    with _locked():
        ports = {place: port for place, port in _read().items() if Path(place).is_dir()}
        if git_dir not in ports:
            ports[git_dir] = _free_port(git_dir, set(ports.values()))
            if ports[git_dir]:
                write_atomic(_record(), dumps({"ports": ports}))
        return ports[git_dir]


def variable(worktree: str) -> Dict[str, str]:
    """Return the variable for programs in a worktree; none if that is not possible."""
    try:
        place = find(worktree) if worktree else None
        port = port_of(place.git_dir) if place else 0
    except (OSError, UnsafeGitFolder):  # such as a full disk, on which the run itself can go on
        return {}
    return {NAME: str(port)} if port else {}


def _free_port(git_dir: str, taken: Set[int]) -> int:
    """Look from a place that depends on the worktree, so that different users rarely choose the same port."""
    start = int(hashlib.sha256(os.fsencode(git_dir)).hexdigest()[:8], 16)
    count = LAST - FIRST + 1
    ports = [FIRST + (start + step) % count for step in range(count)]
    low, high = _ephemeral()
    preferred = [port for port in ports if not low <= port <= high]
    return next((port for port in preferred or ports if port not in taken and _is_free(port)), 0)


def _ephemeral() -> Tuple[int, int]:
    """Return the range of ports that the system gives to outgoing connections."""
    try:
        low, high = EPHEMERAL.read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 32768, 65535


def _is_free(port: int) -> bool:
    return all(_can_bind(family, address, port) for family, address in ADDRESSES)


def _can_bind(family: int, address: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno not in (errno.EADDRINUSE, errno.EACCES)  # otherwise there is no IPv6
    return True


def _record() -> Path:
    return state_dir() / "ports.json"


def _read() -> Dict[str, int]:
    found = (read_json(_record()) or {}).get("ports")
    if not isinstance(found, dict):
        return {}
    return {place: port for place, port in found.items() if isinstance(port, int)}


@contextmanager
def _locked() -> Iterator[None]:
    make_private_folder(state_dir())
    with (state_dir() / "ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
