"""The app's own machine: hostkit runs as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import cast

from workspaces.hosts.bootstrap import Kit, start_hostkit
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Keepalive, Link

CHUNK = 1 << 18
OWN_VARIABLES = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"}
OWN_PREFIXES = ("DJANGO_", "PG")
"""Settings of the app, which hostkit and terminals must not see. (Agents get an allow-list only.)"""


def supported() -> bool:
    """Return whether agents can run on this machine: they need POSIX terminals and process groups."""
    return os.name == "posix" and hasattr(os, "fork")


def environment() -> dict[str, str]:
    """Return the app's environment without secrets and variables that would affect git or tmux."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_")
        and name not in {"TMUX", "TMUX_PANE"}
        and name.removesuffix("_FILE") not in OWN_VARIABLES
        and not name.startswith(OWN_PREFIXES)
    }


class LocalPipe:
    """The standard streams of a child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stdin = cast(asyncio.StreamWriter, process.stdin)
        self._stdout = cast(asyncio.StreamReader, process.stdout)
        self._stderr = cast(asyncio.StreamReader, process.stderr)
        self._error_output = bytearray()
        self._reading = asyncio.create_task(self._read_errors())
        self.descriptors = frozenset({self._stdin.transport.get_extra_info("pipe").fileno()})

    async def read(self) -> bytes:
        return await self._stdout.read(CHUNK)

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def close(self) -> None:
        """Close standard input, at which hostkit exits; kill it if it does not."""
        self._stdin.close()
        try:
            async with asyncio.timeout(2):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._reading.cancel()

    async def exit_reason(self) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._reading
        lines = self._error_output.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended"

    async def _read_errors(self) -> None:
        while chunk := await self._stderr.read(CHUNK):
            self._error_output = (self._error_output + chunk)[-4096:]


async def connect(kit: Kit, keepalive: Keepalive) -> Link:
    """Start hostkit on this machine. Raises HostError: local_unsupported if agents can't run here."""
    if not supported():
        raise HostError(
            "Agents can't run on this machine: its operating system has no POSIX terminals.",
            "Add a Linux server as an SSH host and create the workspace there.",
            code="local_unsupported",
        )
    try:
        pipe = await _start(kit)
    except (OSError, ValueError) as error:  # ValueError: it ended before its pipe was read
        raise HostError(
            f"hostkit could not be started on this machine: {error}.",
            "Check that the app may start processes.",
            code="unreachable",
            retryable=True,
        ) from error
    return await start_hostkit(pipe, kit, "this machine", keepalive)


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
