"""Sessions on the SSH connection of a host's link, for `channel.py`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, cast

import asyncssh

from workspaces.hosts.channel import Channel, Receiver
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Pipe
from workspaces.hosts.ssh import SshPipe

WINDOW = 256 * 1024
"""The SSH receive window, in bytes."""


class SessionChannel(asyncssh.SSHClientSession[bytes]):
    """A session on the SSH connection of the host's link."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._stderr = b""
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: Any) -> None:
        if datatype is None:
            self._receiver.data_received(data)
        else:
            self._stderr = (self._stderr + data)[-1000:]

    def connection_lost(self, exc: Exception | None) -> None:
        lines = self._stderr.decode(errors="replace").strip().splitlines()
        self._receiver.closed(str(exc) if exc else lines[-1] if lines else "it ended")

    def write(self, data: bytes) -> None:
        if self._channel and not self._channel.is_closing():
            self._channel.write(data)

    def close(self) -> None:
        if self._channel:
            self._channel.close()


async def open_session(pipe: Pipe, argv: Sequence[str], receiver: Receiver, label: str) -> Channel:
    """Open a session. The command means the same to bash, fish and csh if no argument contains a quote.

    Raises HostError: max_sessions or link_lost.
    """
    try:
        _, session = await cast(SshPipe, pipe).connection.create_session(
            lambda: SessionChannel(receiver),
            f"exec {shlex.join(argv)}",
            encoding=None,
            request_pty=False,
            window=WINDOW,
        )
    except asyncssh.ChannelOpenError as error:
        raise HostError(
            f"{label} refused another session: {error.reason}.",
            "Its sshd allows too few sessions (MaxSessions): a terminal needs two.",
            code="max_sessions",
            retryable=True,
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise HostError(
            f"The link to {label} was lost: {error}.", code="link_lost", retryable=True
        ) from error
    return cast(SessionChannel, session)
