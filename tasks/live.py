"""What agents are writing at the moment, on the task page and the board."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aitask.lib.sockets import LiveConsumer
from tasks.models import Run, Task
from workspaces.hostkit.wire import LIVE_RATE
from workspaces.hosts import Address
from workspaces.hosts.live import LiveWatch, watch

PAUSE, LINE_PAUSE = 0.03, 0.4
"""Seconds between two messages to a task page, and to a board."""
MOST_UNREAD = 32 * 1024
"""Bytes that a page may have unread before what follows is merged in place of being sent."""
MOST_LINES = 100
"""Maximum number of runs of which a board shows the line."""


@dataclass(frozen=True)
class LivePlace:
    """Where a live run is: its number in its task, and its folder on its host."""

    number: int
    address: Address
    folder: str


def place_of(task: Task, run: Run | None) -> LivePlace | None:
    """Return where to watch a run; None unless it may be writing."""
    if run is None or not run.is_active or not run.run_dir:
        return None
    return LivePlace(run.number, task.workspace.address, run.run_dir)


class LiveTask:
    """Sends a task page what its live run is writing."""

    def __init__(self, socket: LiveConsumer) -> None:
        self._socket = socket
        self._place: LivePlace | None = None
        self._watch: LiveWatch | None = None
        self._moved = asyncio.Event()
        self._stale = False

    def follow(self, place: LivePlace | None) -> None:
        """Watch this run from now on, in place of an earlier one."""
        if place == self._place:
            return
        self._place = place
        self._end()
        self._watch = watch(place.address, place.folder) if place else None
        self._moved.set()

    def _end(self) -> None:
        if self._watch:
            self._watch.close()
            self._watch.changed.set()

    async def serve(self) -> None:
        """Push messages as long as the socket is open."""
        try:
            while True:
                await self._moved.wait()
                self._moved.clear()
                number = self._place.number if self._place else None
                self._stale = False
                await self._socket.push({"t": "live", "run": number, "whole": True, "parts": []})
                while not self._moved.is_set() and self._watch and number:
                    await self._send_changes(self._watch, number)
        finally:
            self._end()

    async def _send_changes(self, watched: LiveWatch, number: int) -> None:
        await watched.changed.wait()
        await self._socket.until_read(MOST_UNREAD)
        if self._moved.is_set():
            return
        parts, stale = await watched.changes()
        if parts or stale != self._stale:
            self._stale = stale
            await self._socket.push({"t": "live", "run": number, "stale": stale, "parts": parts})
        size = sum(len(part.get("text") or "") for part in parts)
        await asyncio.sleep(PAUSE + size / LIVE_RATE)


class LiveLines:
    """Sends a board the last line of each run that is writing."""

    def __init__(self, socket: LiveConsumer) -> None:
        self._socket = socket
        self._watched: dict[int, tuple[LivePlace, LiveWatch]] = {}
        self._sent: dict[int, str] = {}
        self._is_needed = asyncio.Event()

    def follow(self, places: Mapping[int, LivePlace | None]) -> None:
        """Watch these runs, by task, and no others."""
        wanted = {task: place for task, place in places.items() if place}
        for task, (place, watched) in list(self._watched.items()):
            if wanted.get(task) != place:
                watched.close()
                del self._watched[task]
        for task, place in list(wanted.items())[:MOST_LINES]:
            if task not in self._watched:
                self._watched[task] = place, watch(place.address, place.folder, only_line=True)
        if self._watched:
            self._is_needed.set()

    async def serve(self) -> None:
        """Push messages as long as the socket is open."""
        try:
            while True:
                await self._is_needed.wait()
                await asyncio.sleep(LINE_PAUSE)
                await self._socket.until_read(MOST_UNREAD)
                if lines := await self._new_lines():
                    await self._socket.push({"t": "lines", "lines": lines})
        finally:
            for _, watched in self._watched.values():
                watched.close()

    async def _new_lines(self) -> dict[int, str]:
        """Return the lines that have changed, by task; empty ones for runs that are not writing any more."""
        now = dict.fromkeys(self._sent, "")
        for task, (_, watched) in list(self._watched.items()):
            now[task] = await watched.line() if watched.changed.is_set() else self._sent.get(task, "")
        changed: dict[int, str] = {
            task: line for task, line in now.items() if line != self._sent.get(task, "")
        }
        self._sent = {task: line for task, line in now.items() if line}
        if not self._watched:
            self._is_needed.clear()
        return changed
