"""The machine that the server itself runs on: hostkit as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import cast

from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Json, Keepalive, Lines, Link, parse_hello

START_SECONDS = 20.0
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


def install(name: str, content: bytes) -> Path:
    """Put hostkit where a host keeps it, once, readable by its owner alone."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    folder = Path(state) / "aitask" / "hostkit"
    path = folder / name
    if path.is_file() and hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest():
        return path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f".{name}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
    return path


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


async def connect(name: str, content: bytes, keepalive: Keepalive) -> Link:
    """Start hostkit on this machine. Raises HostError, with local_unsupported where no agent can run."""
    if not supported():
        raise HostError(
            "Agents can't run on this machine: its system lacks the terminals that they need.",
            "Add a Linux server as an SSH host and create the workspace there.",
            code="local_unsupported",
        )
    try:
        pipe = await _start(install(name, content))
    except OSError as error:
        raise HostError(
            f"This machine could not start its helper: {error}.",
            "Check that your home folder can be written to and is not full.",
            code="unreachable",
            retryable=True,
        ) from error
    lines = Lines(pipe)
    return Link(pipe, await _greeting(pipe, lines), lines=lines, name="this machine", keepalive=keepalive)


async def _start(path: Path) -> LocalPipe:
    return LocalPipe(
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(path),
            "serve",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            cwd=Path.home(),
            start_new_session=True,
        )
    )


async def _greeting(pipe: LocalPipe, lines: Lines) -> Json:
    why = f"it said nothing for {START_SECONDS:g} s"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            if hello := await lines.skip_noise(parse_hello):
                return dict(hello)
            why = await pipe.epitaph()
    await pipe.close()
    raise HostError(f"The helper on this machine did not start: {why}.", code="unreachable", retryable=True)
