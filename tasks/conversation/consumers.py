"""The live socket of the inbox."""

from __future__ import annotations

import asyncio

from channels.db import database_sync_to_async

from aitask.sockets import LiveConsumer
from tasks import inbox_views


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
