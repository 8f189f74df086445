"""A process on a host with raw standard streams and no PTY, for the terminals' tmux control mode.

Everything here runs on the hub's loop. Received bytes are passed on at once and reading never pauses: the
receiver must be able to take all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from workspaces.hosts.errors import HostError
from workspaces.hosts.host import HostConnection
from workspaces.hosts.local import environment


class Receiver(Protocol):
    """Receives the output of the process."""

    def data_received(self, data: bytes) -> None:
        """Called with bytes of its standard output."""

    def closed(self, reason: str) -> None:
        """Called once when the process has closed its output, or the link has ended."""


class Channel(Protocol):
    """The process, for the code that started it."""

    def write(self, data: bytes) -> None:
        """Send to its standard input without waiting; do nothing if it has ended."""

    def close(self) -> None:
        """Close it at once; the process gets the end of its input or a hangup."""


async def open_process(host: HostConnection, argv: Sequence[str], receiver: Receiver) -> Channel:
    """Start a program on the host. Raises HostError: max_sessions, or the error of the link."""
    link = await host.link()
    if host.address.kind == "local":
        return await _start_child(argv, receiver)
    from workspaces.hosts import ssh_channel  # takes 15 MB, and is not needed for this machine only

    return await ssh_channel.open_session(link.pipe, argv, receiver, host.label)


class ChildChannel(asyncio.SubprocessProtocol):
    """A process on this machine, in its own session."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._stderr = b""
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._receiver.data_received(data)
        else:
            self._stderr = (self._stderr + data)[-1000:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Report the end with that of the output: the process may stay to tidy up."""
        if fd == 1:
            lines = self._stderr.decode(errors="replace").strip().splitlines()
            self._receiver.closed(lines[-1] if lines else "it ended")

    def write(self, data: bytes) -> None:
        if self._stdin and not self._stdin.is_closing():
            self._stdin.write(data)

    def close(self) -> None:
        """Close its standard streams, at which it ends. Closing the transport would kill it before that."""
        for fd in (0, 1, 2):
            pipe = self._transport.get_pipe_transport(fd) if self._transport else None
            if pipe:
                pipe.close()


async def _start_child(argv: Sequence[str], receiver: Receiver) -> Channel:
    try:
        _, channel = await asyncio.get_running_loop().subprocess_exec(
            lambda: ChildChannel(receiver), *argv, env=environment(), cwd=Path.home(), start_new_session=True
        )
    except OSError as error:
        raise HostError(f"{argv[0]} could not be started: {error}.", code="remote_failed") from error
    return channel
