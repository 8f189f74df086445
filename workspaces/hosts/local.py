"""The machine that the server itself runs on: hostkit as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import cast

from workspaces.hosts.bootstrap import Kit, land
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Keepalive, Link

CHUNK = 1 << 18
OWN_VARIABLES = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
"""Settings of this server: agents are not told its secrets."""


def supported() -> bool:
    """Whether agents can run on this machine: they need a POSIX terminal and process groups."""
    return os.name == "posix" and hasattr(os, "fork")


def environment() -> dict[str, str]:
    """The server's environment without what would mislead git, tmux or an agent."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_")
        and name not in {"TMUX", "TMUX_PANE"}
        and name.removesuffix("_FILE") not in OWN_VARIABLES
    }


class LocalPipe:
    """Standard input and output of a child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stdin = cast(asyncio.StreamWriter, process.stdin)
        self._stdout = cast(asyncio.StreamReader, process.stdout)
        self._stderr = cast(asyncio.StreamReader, process.stderr)
        self._last_words = bytearray()
        self._listening = asyncio.create_task(self._listen())
        self.descriptors = frozenset({self._stdin.transport.get_extra_info("pipe").fileno()})

    async def read(self) -> bytes:
        return await self._stdout.read(CHUNK)

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def close(self) -> None:
        """End of input is hostkit's sign to leave; what does not is ended."""
        self._stdin.close()
        try:
            async with asyncio.timeout(2):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._listening.cancel()

    async def epitaph(self) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._listening
        words = self._last_words.decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it ended"

    async def _listen(self) -> None:
        while chunk := await self._stderr.read(CHUNK):
            self._last_words = (self._last_words + chunk)[-4096:]


async def connect(kit: Kit, keepalive: Keepalive) -> Link:
    """Start hostkit on this machine. Raises HostError, with local_unsupported where no agent can run."""
    if not supported():
        raise HostError(
            "Agents can't run on this machine: its system lacks the terminals that they need.",
            "Add a Linux server as an SSH host and create the workspace there.",
            code="local_unsupported",
        )
    try:
        pipe = await _start(kit)
    except (OSError, ValueError) as error:  # ValueError: it ended before its pipe was looked at
        raise HostError(
            f"This machine could not start its helper: {error}.",
            "Check that processes can be started here.",
            code="unreachable",
            retryable=True,
        ) from error
    return await land(pipe, kit, "this machine", keepalive)


async def _start(kit: Kit) -> LocalPipe:
    return LocalPipe(
        await asyncio.create_subprocess_exec(
            *kit.local_argv(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            cwd=Path.home(),
            start_new_session=True,
        )
    )
