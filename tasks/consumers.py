"""The WebSockets of pages about one task. They send what the database has that the page lacks."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Any

from channels.db import database_sync_to_async

from aitask.lib.sockets import LiveConsumer
from tasks import attempts, queries
from tasks.access import task_for
from tasks.conversation.rendering import render_talk
from tasks.live import LiveTask, place_of
from tasks.models import Task
from tasks.previews import places
from tasks.previews.live import LivePorts
from tasks.rendering import render_head, render_rows
from tasks.runs.queries import with_newest_runs

BATCH = 200
"Maximum number of events in one message."


class TaskConsumer(LiveConsumer):
    """Sends new events of a task's runs as HTML, and the status strip and conversation when they change."""

    async def connect(self) -> None:
        self.pk: int = self.scope["url_route"]["kwargs"]["pk"]
        self.place: tuple[int, int] | None = None
        self.told: tuple[int, int] | None = None
        "The last event that the page knows of, also if it shows nothing of it."
        self.head = ""
        self.talk: dict[str, str] = {}
        self.place_known = asyncio.Event()
        self.live = LiveTask(self)
        self.ports = LivePorts(self, on_card=False)
        await super().connect()

    async def beside(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.live.serve())
            tasks.create_task(self.ports.serve())

    async def topics(self) -> set[str]:
        await database_sync_to_async(self.task)()
        return {f"task:{self.pk}", "hosts"}

    async def received(self, message: dict[str, Any]) -> None:
        """Store which events the page has: {"t": "from", "after": [run number, seq]}."""
        if message.get("t") != "from":
            return
        with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
            number, seq = map(int, message["after"])
            self.place = self.told = (number, seq)
            self.place_known.set()

    async def changed(self, topics: frozenset[str]) -> None:
        await self.place_known.wait()
        await self.push_events()  # first, because the rest takes longer to read
        head, talk = await database_sync_to_async(self.read)()
        self.live.follow(self.live_place)
        self.ports.follow({self.pk: self.port_place})
        if head != self.head:
            self.head = head
            await self.push({"t": "head", "html": head})
        if talk != self.talk:
            self.talk = talk
            await self.push({"t": "talk", **talk})

    async def push_events(self) -> None:
        """Push the events that the page lacks, in batches."""
        is_last = False
        while not is_last:
            html, is_last = await database_sync_to_async(self.read_events)()
            if html or self.place != self.told:
                self.told = self.place
                await self.push({"t": "events", "html": html, "last": self.place})

    def task(self) -> Task:
        """Return the task with its newest run; raise Http404 unless the user may see it."""
        return with_newest_runs([task_for(self.user, self.pk)])[0]

    def read_events(self) -> tuple[str, bool]:
        """Return the next events as HTML, and whether there are no more."""
        task = task_for(self.user, self.pk)
        rows = queries.events(task, after=self.place or (0, 0), limit=BATCH)
        if rows:
            run, event = rows[-1]
            self.place = (run.number, event.seq)
        return render_rows(rows), len(rows) < BATCH

    def read(self) -> tuple[str, dict[str, str]]:
        """Return the status strip and the parts of the conversation as HTML."""
        task = self.task()
        self.live_place = place_of(task, task.last_run)
        self.port_place = places.place_of(task)
        return render_head(task, task.last_run), render_talk(task, task.last_run)


class WatchConsumer(LiveConsumer):
    """Tells the changes page and the page of attempts when what they show has changed elsewhere.

    It pushes {"t": "task", "title": …, "version": …}: the title of the task, and a text that is another one
    whenever the task or one of its attempts was edited, has another state or got another verdict.
    """

    async def connect(self) -> None:
        self.pk: int = self.scope["url_route"]["kwargs"]["pk"]
        self.told: tuple[str, str] | None = None
        await super().connect()

    async def topics(self) -> set[str]:
        return {f"task:{pk}" for pk in await database_sync_to_async(self.siblings)()}

    async def changed(self, topics: frozenset[str]) -> None:
        read = await database_sync_to_async(self.read)()
        if read != self.told:
            self.told = read
            await self.push({"t": "task", "title": read[0], "version": read[1]})

    def siblings(self) -> list[int]:
        return [task.pk for task in attempts.siblings_of(task_for(self.user, self.pk))]

    def read(self) -> tuple[str, str]:
        task = task_for(self.user, self.pk)
        return task.title, version_of(task)


def version_of(task: Task) -> str:
    """Return a text that changes with what a page about the task and its attempts shows of their state."""
    shown = [
        (
            each.pk,
            each.status,
            each.branch,
            run and (run.number, run.state),
            verdict and (verdict.kind, verdict.at),
        )
        for each in attempts.siblings_of(task)
        for run, verdict in [(each.last_run, getattr(each, "verdict", None))]
    ]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
