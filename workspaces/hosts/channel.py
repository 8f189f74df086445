"""A process on a host with raw bytes both ways and no PTY: what a terminal gateway speaks with tmux.

Everything here belongs to the hub's loop. Bytes are handed over as they come and reading never pauses:
whoever opens a channel must take all of it.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import asyncssh

from workspaces.hosts.errors import HostError
from workspaces.hosts.host import HostConnection
from workspaces.hosts.local import environment
from workspaces.hosts.ssh import SshPipe

WINDOW = 256 * 1024
"""Bytes that sshd may send ahead."""


class Receiver(Protocol):
    """Who gets what the process prints."""

    def data_received(self, data: bytes) -> None:
        """Some bytes of its standard output."""

    def closed(self, reason: str) -> None:
        """It is over, for whatever reason; comes once."""


class Channel(Protocol):
    """The process as its opener sees it."""

    def write(self, data: bytes) -> None:
        """Send to its standard input, soon; nothing happens after the end."""

    def close(self) -> None:
        """Let go of it at once; it sees the end of its input, or a hangup."""


async def open_process(host: HostConnection, argv: Sequence[str], receiver: Receiver) -> Channel:
    """Start a program on the host. Raises HostError: whatever the link says, or max_sessions."""
    link = await host.link()
    if isinstance(link.pipe, SshPipe):
        return await _open_session(link.pipe.connection, argv, receiver, host.label)
    return await _start_child(argv, receiver)


class ChildChannel(asyncio.SubprocessProtocol):
    """A process of this machine, in a session of its own."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._last_words = b""
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._receiver.data_received(data)
        else:
            self._last_words = (self._last_words + data)[-1000:]

    def connection_lost(self, exc: Exception | None) -> None:
        words = self._last_words.decode(errors="replace").strip().splitlines()
        self._receiver.closed(words[-1] if words else "it ended")

    def write(self, data: bytes) -> None:
        if self._stdin and not self._stdin.is_closing():
            self._stdin.write(data)

    def close(self) -> None:
        """Killed: a tmux 3.3a client that is hung up says goodbye, at which the server crashes at times."""
        if self._transport:
            self._transport.close()


async def _start_child(argv: Sequence[str], receiver: Receiver) -> Channel:
    try:
        _, channel = await asyncio.get_running_loop().subprocess_exec(
            lambda: ChildChannel(receiver), *argv, env=environment(), cwd=Path.home(), start_new_session=True
        )
    except OSError as error:
        raise HostError(f"{argv[0]} could not be started: {error}.", code="remote_failed") from error
    return channel


class SessionChannel(asyncssh.SSHClientSession[bytes]):
    """A session of the SSH connection that the host's other work uses, too."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._last_words = b""
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: Any) -> None:
        if datatype is None:
            self._receiver.data_received(data)
        else:
            self._last_words = (self._last_words + data)[-1000:]

    def connection_lost(self, exc: Exception | None) -> None:
        words = self._last_words.decode(errors="replace").strip().splitlines()
        self._receiver.closed(str(exc) if exc else words[-1] if words else "it ended")

    def write(self, data: bytes) -> None:
        if self._channel and not self._channel.is_closing():
            self._channel.write(data)

    def close(self) -> None:
        if self._channel:
            self._channel.close()


async def _open_session(
    connection: asyncssh.SSHClientConnection, argv: Sequence[str], receiver: Receiver, label: str
) -> Channel:
    """The command means the same to bash, fish and csh as long as no word holds a quote."""
    try:
        _, session = await connection.create_session(
            lambda: SessionChannel(receiver),
            f"exec {shlex.join(argv)}",
            encoding=None,
            request_pty=False,
            window=WINDOW,
        )
    except asyncssh.ChannelOpenError as error:
        raise HostError(
            f"{label} gives us no further session: {error.reason}.",
            "Its sshd allows too few sessions (MaxSessions): a terminal needs two.",
            code="max_sessions",
            retryable=True,
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise HostError(
            f"The link to {label} was lost: {error}.", code="link_lost", retryable=True
        ) from error
    return cast(SessionChannel, session)
