"""The live sockets of the inbox and of what calls for a person."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from aitask.sockets import LiveConsumer
from tasks import inbox_views
from tasks.conversation import asking, attention

MOST_NEWS = 20


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
        now = await database_sync_to_async(inbox_views.inbox_context)(self.user)
        if now != self.shown:
            self.shown = now
            await self.push({"t": "asks", "html": now["asks"], "count": now["count"]})
            await asyncio.sleep(self.pause)


class AttentionConsumer(LiveConsumer):
    """Tells every page how many requests wait, and what has just happened."""

    pause = 0.3

    async def connect(self) -> None:
        self.count = -1
        self.seen: int | None = None
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board"}

    async def changed(self, topics: frozenset[str]) -> None:
        count, news = await database_sync_to_async(self.read)()
        if news or count != self.count:
            self.count = count
            await self.push({"t": "attention", "count": count, "news": news})
            await asyncio.sleep(self.pause)

    def read(self) -> tuple[int, list[dict[str, Any]]]:
        """How many requests are open, and what came since the last look; the first look is no news."""
        runs = inbox_views.waiting_runs(self.user)
        count = sum(not ask.answered for ask in asking.all_asks(runs))
        rows = attention.visible(self.user)
        if self.seen is None:
            self.seen = rows.values_list("pk", flat=True).last() or 0
            return count, []
        fresh = list(rows.filter(pk__gt=self.seen)[:MOST_NEWS])
        if fresh:
            self.seen = fresh[-1].pk
        return count, [attention.as_message(row) for row in fresh]
