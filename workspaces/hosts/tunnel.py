"""A TCP connection to a port of a host's loopback, on the one connection to the host.

`open_tunnel` may be called on any event loop, and calls the receiver on that loop. If it is the loop of the
hosts, nothing lies between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import asyncssh

from workspaces.hosts.errors import HostError
from workspaces.hosts.host import HostConnection
from workspaces.hosts.hub import hub, on_hub
from workspaces.hosts.ssh import SshPipe

OPEN_SECONDS = 10.0
WINDOW = 1 << 20
"""Bytes that a host may send before they are taken."""
REFUSED = "refused"
"""Code of the error if nothing listens on the port."""
FORBIDDEN = "forwarding_forbidden"
"""Code of the error if the host's sshd does not allow forwarding."""


class TunnelReceiver(Protocol):
    """What comes out of a tunnel."""

    def data_received(self, data: bytes) -> None:
        """Called with bytes of the program on the port."""

    def closed(self, reason: str) -> None:
        """Called once when the program has sent everything, or the connection is lost (with a reason)."""

    def pause_writing(self) -> None:
        """The program does not read as fast as is written."""

    def resume_writing(self) -> None:
        """It has caught up."""


class Tunnel(Protocol):
    """The way into a tunnel. Nothing waits; nothing fails if it has been closed."""

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        """Close at once."""


async def open_tunnel(host: HostConnection, address: str, port: int, receiver: TunnelReceiver) -> Tunnel:
    """Connect to a port at a loopback address of the host.

    Raises HostError: that of the link, or with the code REFUSED, FORBIDDEN or timeout.
    """
    loop = asyncio.get_running_loop()
    if hub().is_here:
        return await _open(host, address, port, receiver)
    inner = await on_hub(_open(host, address, port, cast(TunnelReceiver, _Called(receiver, loop))))
    return cast(Tunnel, _Called(inner, hub().loop))


class _Called:
    """Calls the methods of an object on its own loop."""

    def __init__(self, target: object, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._target, name)

        def call(*arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(method, *arguments)

        return call


async def _open(host: HostConnection, address: str, port: int, receiver: TunnelReceiver) -> Tunnel:
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            link = await host.link()
            if isinstance(link.pipe, SshPipe):
                return await _open_channel(link.pipe.connection, address, port, receiver, host.label)
            return await _open_socket(address, port, receiver)
    except TimeoutError:
        reason = f"Port {port} of {host.label} did not answer within {OPEN_SECONDS:g} s."
        raise HostError(reason, code="timeout", retryable=True) from None


class _SocketTunnel(asyncio.Protocol):
    """A socket on this machine."""

    def __init__(self, receiver: TunnelReceiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._receiver.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._receiver.closed(str(exc or ""))

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    def write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        self._is_closed = True
        if self._transport:
            self._transport.abort()


async def _open_socket(address: str, port: int, receiver: TunnelReceiver) -> Tunnel:
    try:
        _, tunnel = await asyncio.get_running_loop().create_connection(
            lambda: _SocketTunnel(receiver), address, port
        )
    except OSError as error:
        raise refused(port, "this machine") from error
    return tunnel


class _ChannelTunnel(asyncssh.SSHTCPSession[bytes]):
    """A channel of an SSH connection."""

    def __init__(self, receiver: TunnelReceiver) -> None:
        self._receiver = receiver
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._is_closed = False

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: Any) -> None:
        self._receiver.data_received(data)

    def eof_received(self) -> bool:
        self._end("")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc or ""))

    def _end(self, reason: str) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._receiver.closed(reason)

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    def write(self, data: bytes) -> None:
        if self._channel and not self._channel.is_closing():
            with contextlib.suppress(OSError):  # the connection is being lost
                self._channel.write(data)

    def pause_reading(self) -> None:
        if self._channel:
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        if self._channel:
            self._channel.resume_reading()

    def close(self) -> None:
        self._is_closed = True
        if self._channel:
            self._channel.abort()


async def _open_channel(
    connection: asyncssh.SSHClientConnection, address: str, port: int, receiver: TunnelReceiver, label: str
) -> Tunnel:
    try:
        _, session = await connection.create_connection(
            lambda: _ChannelTunnel(receiver), address, port, "127.0.0.1", 0, window=WINDOW
        )
    except asyncssh.ChannelOpenError as error:
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            raise HostError(
                f"The SSH server of {label} does not allow forwarding to port {port}.",
                "Its sshd_config needs “AllowTcpForwarding local” (or “yes”), and no PermitOpen without it.",
                code=FORBIDDEN,
            ) from error
        raise refused(port, label) from error
    except (asyncssh.Error, OSError) as error:
        reason = f"The link to {label} was lost: {error}."
        raise HostError(reason, code="link_lost", retryable=True) from error
    return cast(Tunnel, session)


def refused(port: int, label: str) -> HostError:
    return HostError(f"Nothing answers on port {port} of {label}.", code=REFUSED, retryable=True)
