"""Leaves out what asyncssh does for each packet, and what nobody needs.

A key typed in a terminal, and each part of a preview, costs the web process less.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncssh
from asyncssh.constants import MSG_IGNORE

UNCHAINED = ("gcm", "chacha20", "ctr")
"""Parts of the names of ciphers that do not chain blocks, so that they need no empty packets."""
PIECE = 1 << 15
"""Bytes that are parsed at once: for each packet, asyncssh copies the rest of what it was given twice."""
RESET_SECONDS = 0.5
"""How often the keepalive timer is set anew while data arrives."""


def lighten(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHClientConnection:
    """Make each packet of a connection cheaper."""
    _leave_out_empty_packets(connection)
    _send_together(connection)
    _parse_in_pieces(connection)
    _reset_keepalive_less_often(connection)
    return connection


def _leave_out_empty_packets(connection: asyncssh.SSHClientConnection) -> None:
    """Send no empty packet before each real one, unless the cipher chains blocks.

    The empty packets protect chained ciphers (CBC) from an attack. With others they only double the cost.
    """
    if any(name in connection.get_extra_info("send_cipher") for name in UNCHAINED):
        send = connection.send_packet

        def send_packet(kind: int, *parts: bytes, handler: Any = None) -> None:
            if kind != MSG_IGNORE:
                send(kind, *parts, handler=handler)

        connection.send_packet = send_packet  # type: ignore[method-assign, assignment]


def _send_together(connection: asyncssh.SSHClientConnection) -> None:
    """Send the first packet of a turn of the loop at once, and all others of that turn in one piece.

    A page asks for many files at the same time. Each packet of its own costs both ends a call of the system.
    """
    send, waiting = connection._send, bytearray()
    is_first = True

    def send_soon(data: bytes) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            asyncio.get_running_loop().call_soon(send_rest)
            send(data)
        else:
            waiting.extend(data)

    def send_rest() -> None:
        nonlocal is_first
        is_first = True
        if waiting:
            data = bytes(waiting)
            waiting.clear()
            send(data)

    connection._send = send_soon  # type: ignore[method-assign]


def _parse_in_pieces(connection: asyncssh.SSHClientConnection) -> None:
    take = connection.data_received

    def data_received(data: bytes, datatype: Any = None) -> None:
        if len(data) <= PIECE:
            take(data, datatype)
            return
        for start in range(0, len(data), PIECE):
            take(data[start : start + PIECE], datatype)

    connection.data_received = data_received  # type: ignore[method-assign]


def _reset_keepalive_less_often(connection: asyncssh.SSHClientConnection) -> None:
    reset, next_time = connection._reset_keepalive_timer, 0.0

    def reset_keepalive() -> None:
        nonlocal next_time
        now = time.monotonic()
        if now >= next_time:
            next_time = now + RESET_SECONDS
            reset()

    connection._reset_keepalive_timer = reset_keepalive  # type: ignore[method-assign]
