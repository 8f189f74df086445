"""The control socket of a run. Each line is a JSON object, and is answered with one line."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Optional, Set

from ..base.agent import refusal
from ..control_address import reachable
from ..files import dumps, loads
from ..wire import CommandAnswer
from .commands import Commands
from .live import LiveFeed

MAX_COMMAND = 16 * 1024 * 1024


class ControlSocket:
    def __init__(self, path: Path, commands: Commands, live: LiveFeed) -> None:
        self.path = path
        self.commands = commands
        self.live = live
        self._server: Optional[asyncio.AbstractServer] = None
        self._links: Set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen. Only this user can connect."""
        if self.path.exists():
            self.path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with reachable(self.path) as address:
                listener.bind(address)
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_COMMAND)

    async def keep(self) -> None:
        """Listen again if the socket was deleted."""
        if self._server and not self.path.exists():
            self._server.close()
            with suppress(OSError):
                await self.open()

    async def _serve(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._links.add(sink)
        try:
            async for line in source:
                self._handle(line, sink)
        except (OSError, ValueError):
            pass  # the client disconnected, or its line is too long
        finally:
            self._links.discard(sink)
            self.live.remove(sink)
            sink.close()

    def _handle(self, line: bytes, sink: asyncio.StreamWriter) -> None:
        def answer(value: CommandAnswer) -> None:
            if not sink.is_closing():
                sink.write(dumps(value) + b"\n")

        try:
            command = loads(line)
        except ValueError:
            command = None
        if not isinstance(command, dict):
            answer(refusal("a command is a JSON object on one line"))
            return
        if command.get("command") == "live":
            self.live.add(sink, str(command.get("detail")))
            return
        try:
            self.commands.handle(command, str(command.get("by") or "web"), answer)
        except Exception as error:  # a command that can't be executed must not close the socket
            answer(refusal(f"{type(error).__name__}: {error}"))

    def close(self) -> None:
        """Stop listening. The socket is unlinked first, so that new clients see that no runner listens."""
        if self.path.exists():
            self.path.unlink()
        if self._server:
            self._server.close()
        for link in list(self._links):
            link.close()
