"""The live sockets of board and task page: they say what is new, the rows say what it is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from channels.db import database_sync_to_async
from django.shortcuts import get_object_or_404

from aitask.lib.sockets import LiveConsumer
from tasks import queries
from tasks.conversation.rendering import render_talk
from tasks.models import Task
from tasks.rendering import render_event, render_head

BATCH = 200
"Most events in one message."


class BoardConsumer(LiveConsumer):
    """Tells the board that it has changed; the page then asks for the part that it shows."""

    pause = 0.3
    """Seconds between two messages, so that busy agents do not make every browser redraw all the time."""

    async def connect(self) -> None:
        self.version = ""
        self.stamp: tuple[object, ...] = ()
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board"}

    async def changed(self, topics: frozenset[str]) -> None:
        board = await database_sync_to_async(self.read)(rung="board" in topics)
        if board is not None and board.version != self.version:
            self.version = board.version
            await self.push({"t": "changed", "version": board.version, "needs_you": board.needs_you})
            await asyncio.sleep(self.pause)

    def read(self, *, rung: bool) -> queries.Board | None:
        """The board; None when nobody rang for it and nothing looks changed, as after most writes."""
        stamp = queries.board_stamp()
        if stamp == self.stamp and not rung:
            return None
        self.stamp = stamp
        return queries.board(self.user)


class TaskConsumer(LiveConsumer):
    """Sends the events of a task's runs as they come, rendered, and the strip that says how it stands."""

    async def connect(self) -> None:
        self.pk: int = self.scope["url_route"]["kwargs"]["pk"]
        self.place: tuple[int, int] | None = None
        self.head = ""
        self.talk: dict[str, str] = {}
        self.told = asyncio.Event()
        await super().connect()

    async def topics(self) -> set[str]:
        await database_sync_to_async(self.task)()
        return {f"task:{self.pk}", "hosts"}

    async def received(self, message: dict[str, Any]) -> None:
        """The page says which events it has: {"t": "from", "after": [run number, seq]}."""
        if message.get("t") != "from":
            return
        with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
            number, seq = map(int, message["after"])
            self.place = (number, seq)
            self.told.set()

    async def changed(self, topics: frozenset[str]) -> None:
        await self.told.wait()
        while True:
            batch, head, talk = await database_sync_to_async(self.read)()
            if head != self.head:
                self.head = head
                await self.push({"t": "head", "html": head})
            if talk != self.talk:
                self.talk = talk
                await self.push({"t": "talk", **talk})
            if batch:
                await self.push({"t": "events", "html": batch, "last": self.place})
            if not self.more:
                return

    def task(self) -> Task:
        """The task with its newest run; Http404 for strangers."""
        return get_object_or_404(queries.with_newest_run(self.user), pk=self.pk)

    def read(self) -> tuple[str, str, dict[str, str]]:
        """The next events as HTML, the strip, and what is asked and said."""
        task = self.task()
        rows = queries.events(task, after=self.place or (0, 0), limit=BATCH)
        if rows:
            run, event = rows[-1]
            self.place = (run.number, event.seq)
        self.more = len(rows) == BATCH
        html = "".join(render_event(run, event) for run, event in rows)
        return html, render_head(task, task.last_run), render_talk(task, task.last_run)
