"""The ports of tasks as they open and close, on the task page and the board."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string

from aitask.lib.sockets import LiveConsumer
from tasks.previews.places import PortPlace
from workspaces.hostkit.wire import OpenPort
from workspaces.hosts.ports import PortWatch

PAUSE = 0.5
"""Seconds between two messages."""
MOST_CARDS = 100
"""Maximum number of cards of which a board shows the ports."""
MOST_ON_CARD = 3


def render_ports(task: int, ports: list[OpenPort]) -> str:
    """Return the ports of a task as HTML for its page."""
    return render_to_string("tasks/previews/_ports.html", {"task_pk": task, "ports": ports})


class LivePorts:
    """Sends a page the ports of the tasks that it shows, whenever they change."""

    def __init__(self, socket: LiveConsumer, *, on_card: bool) -> None:
        self._socket = socket
        self._on_card = on_card
        self._watched: dict[int, tuple[PortPlace, PortWatch]] = {}
        self._sent: dict[int, Any] = {}
        self._moved = asyncio.Event()

    def follow(self, places: Mapping[int, PortPlace | None]) -> None:
        """Watch these tasks, and no others."""
        wanted = {task: place for task, place in places.items() if place}
        for task, (place, watched) in list(self._watched.items()):
            if wanted.get(task) != place:
                watched.close()
                del self._watched[task]
                self._moved.set()
        for task, place in list(wanted.items())[:MOST_CARDS]:
            if task not in self._watched:
                self._watched[task] = place, place.watch()
                self._moved.set()

    async def serve(self) -> None:
        """Push messages as long as the socket is open."""
        try:
            while True:
                await self._wait()
                if changed := self._changes():
                    await self._socket.push({"t": "ports", "ports": changed})
                await asyncio.sleep(PAUSE)
        finally:
            for _, watched in self._watched.values():
                watched.close()

    async def _wait(self) -> None:
        """Wait until ports have changed, or others are watched."""
        events = [self._moved, *(watched.changed for _, watched in self._watched.values())]
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        for event in events:
            event.clear()

    def _changes(self) -> dict[int, Any]:
        """Return what is to be shown now, by task, as far as it is new."""
        now = {task: self._shown(task, watched.ports) for task, (_, watched) in self._watched.items()}
        gone = {task: self._shown(task, []) for task in self._sent if task not in now}
        changed = {
            task: shown
            for task, shown in (now | gone).items()
            if shown != self._sent.get(task, self._shown(task, []))
        }
        self._sent = now
        return changed

    def _shown(self, task: int, ports: list[OpenPort] | None) -> Any:
        if self._on_card:
            return [[each["port"], each["program"]] for each in (ports or [])[:MOST_ON_CARD]]
        return render_ports(task, ports) if ports else ""
