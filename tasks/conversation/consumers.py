"""The live sockets of the inbox and of what calls for a person."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from channels.db import database_sync_to_async
from django.utils import timezone

from aitask.lib.sockets import LiveConsumer
from tasks.conversation import notifications, rendering, requests

MAX_NEWS = 20
STALE = timedelta(hours=1)
"What is older was missed by a page that slept, and is no news any more."


class InboxConsumer(LiveConsumer):
    """Sends all open requests whenever one has come, gone, or been answered."""

    pause = 0.15
    """Seconds between two messages."""

    async def connect(self) -> None:
        self.shown: object = None
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board"}

    async def changed(self, topics: frozenset[str]) -> None:
        now = await database_sync_to_async(rendering.inbox_context)(self.user)
        if now != self.shown:
            self.shown = now
            await self.push({"t": "asks", "html": now["asks"], "count": now["count"]})
            await asyncio.sleep(self.pause)


class AttentionConsumer(LiveConsumer):
    """Tells every page how many requests wait, and what has happened since the page last heard of it."""

    pause = 0.3

    async def connect(self) -> None:
        self.count = -1
        self.seen: int | None = None
        self.told = asyncio.Event()
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board"}

    async def received(self, message: dict[str, Any]) -> None:
        """The page says what it heard of last: {"t": "from", "after": id}, null when of nothing yet."""
        if message.get("t") == "from" and not self.told.is_set():
            after = message.get("after")
            self.seen = after if isinstance(after, int) else None
            self.told.set()

    async def changed(self, topics: frozenset[str]) -> None:
        await self.told.wait()
        count, news = await database_sync_to_async(self.read)()
        if news or count != self.count:
            self.count = count
            await self.push({"t": "attention", "count": count, "news": news, "last": self.seen})
            await asyncio.sleep(self.pause)

    def read(self) -> tuple[int, list[dict[str, Any]]]:
        """How many requests are open, and what came since the last look and still matters.

        The first look of a page that has heard of nothing is no news.
        """
        runs = rendering.waiting_runs(self.user)
        count = sum(not ask.answered for ask in requests.all_asks(runs))
        rows = notifications.visible(self.user)
        if self.count < 0:
            newest = rows.values_list("pk", flat=True).last() or 0
            self.seen = newest if self.seen is None else min(self.seen, newest)
        fresh = list(rows.filter(pk__gt=self.seen)[:MAX_NEWS])
        if fresh:
            self.seen = fresh[-1].pk
        old = timezone.now() - STALE
        return count, [
            notifications.as_message(row) for row in fresh if row.at > old and not notifications.is_over(row)
        ]
