"""Tells the clients of the control socket what the agent is writing, as fast as each of them reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Dict, Optional

from ..base.agent import Agent
from ..base.partial import PartCursor
from ..files import dumps
from ..wire import LIVE_RATE, LiveMessage

PAUSE, LINE_PAUSE = 0.03, 0.4
"""Seconds between two messages to a client that reads everything, or only the last line."""
ASK_SECONDS = 0.5
"""How often the CLI is asked for the output of commands while somebody reads everything."""
MOST_CLIENTS = 16


class LiveFeed:
    """All clients of one run. Everything runs on the runner's event loop."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._clients: Dict[asyncio.StreamWriter, LiveClient] = {}
        self._asking: Optional["asyncio.Task[None]"] = None
        agent.parts.changed = self._wake

    def add(self, sink: asyncio.StreamWriter, detail: str) -> None:
        """Start writing to a client. A further call of the same client changes what it gets."""
        self.remove(sink)
        if len(self._clients) >= MOST_CLIENTS:
            sink.close()
            return
        self._clients[sink] = LiveClient(sink, self._agent, only_line=detail == "line")
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())

    def follow(self, agent: Agent) -> None:
        """Tell of another agent from now on."""
        self._agent = agent
        agent.parts.changed = self._wake
        for sink, client in list(self._clients.items()):
            self.add(sink, "line" if client.only_line else "")

    def remove(self, sink: asyncio.StreamWriter) -> None:
        client = self._clients.pop(sink, None)
        if client:
            client.close()

    def _wake(self) -> None:
        for client in self._clients.values():
            client.changed.set()

    async def _ask(self) -> None:
        """Ask for output, and forget old parts, while there are clients."""
        while self._clients:
            self._agent.parts.expire()
            if not all(client.only_line for client in self._clients.values()):
                self._agent.ask_output()
            await asyncio.sleep(ASK_SECONDS)


class LiveClient:
    """One client, and what it knows already. While it does not read, changes are not sent but merged."""

    def __init__(self, sink: asyncio.StreamWriter, agent: Agent, *, only_line: bool) -> None:
        self.only_line = only_line
        self.changed = asyncio.Event()
        self.changed.set()
        self._sink = sink
        self._parts = agent.parts
        self._cursor = PartCursor()
        self._line: Optional[str] = None
        self._is_new = True
        sink.transport.set_write_buffer_limits(high=0)  # `drain` waits until everything was read
        self._task = asyncio.ensure_future(self._serve())

    def close(self) -> None:
        self._task.cancel()

    async def _serve(self) -> None:
        with suppress(OSError):
            while True:
                await self.changed.wait()
                self.changed.clear()
                message = self._line_message() if self.only_line else self._message()
                if message is not None:
                    line = dumps(message) + b"\n"
                    self._sink.write(line)
                    await self._sink.drain()
                    pause = LINE_PAUSE if self.only_line else PAUSE
                    await asyncio.sleep(pause + len(line) / LIVE_RATE)

    def _message(self) -> Optional[LiveMessage]:
        changes = self._cursor.changes(self._parts)
        if changes:
            self.changed.set()  # there may be more than fits into one message
        if not changes and not self._is_new:
            return None
        message: LiveMessage = {"parts": changes}
        if self._is_new:
            message["whole"] = True
        self._is_new = False
        return message

    def _line_message(self) -> Optional[LiveMessage]:
        line = self._parts.line
        if line == self._line:
            return None
        self._line = line
        return {"line": line}
