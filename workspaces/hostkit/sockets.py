"""Listening TCP sockets of this host, by /proc."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = b"0A"
WORD = 4
SOCKET = "socket:["


class ListeningSocket(NamedTuple):
    """A socket that listens where this machine reaches it by a loopback address."""

    inode: int
    uid: int
    address: str
    port: int


def is_supported() -> bool:
    return TABLES[0].exists()


def listeners() -> List[ListeningSocket]:
    """Return the sockets of all users that listen on loopback or on all addresses."""
    return [found for table in TABLES for found in _rows(table)]


def _rows(table: Path) -> Iterator[ListeningSocket]:
    try:
        lines = table.read_bytes().splitlines()[1:]
    except OSError:  # without IPv6 there is no table of it
        return
    for line in lines:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTENING:
            continue
        host, _, port = fields[1].partition(b":")
        address = _loopback(host)
        if address:
            yield ListeningSocket(int(fields[9]), int(fields[7]), address, int(port, 16))


def _loopback(text: bytes) -> Optional[str]:
    """Return the loopback address that reaches a socket; None for one of another interface.

    The kernel prints an address as words in the order of bytes of the machine.
    """
    raw = bytes.fromhex(text.decode())
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + WORD][::-1] for at in range(0, len(raw), WORD))
    address = ipaddress.ip_address(raw)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return "127.0.0.1" if address.version == WORD else "::1"
    return str(address) if address.is_loopback else None


def holders(inodes: Set[int]) -> Dict[int, List[int]]:
    """Return which processes of this user have these sockets open: inode → pids."""
    found: Dict[int, List[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            for inode in _sockets_of(int(folder.name)) & inodes:
                found.setdefault(inode, []).append(int(folder.name))
    return found


def _sockets_of(pid: int) -> Set[int]:
    found: Set[int] = set()
    folder = f"/proc/{pid}/fd"
    try:
        if os.stat(folder).st_uid != os.getuid():  # noqa: PTH116 (called for each process)
            return found
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:  # it has ended, or is another user's
        return found
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")  # noqa: PTH115
        except OSError:
            continue
        if target.startswith(SOCKET):
            found.add(int(target[len(SOCKET) : -1]))
    return found
