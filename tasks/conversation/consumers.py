"""WebSockets of the inbox and of notifications."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.utils import timezone

from aitask.lib.sockets import LiveConsumer
from tasks.conversation import attendance, inbox, notifications

MAX_NEWS = 20
STALE = timedelta(hours=1)
"Older notifications are not shown to a page that was asleep or offline."


class InboxConsumer(LiveConsumer):
    """Sends a part of the inbox, and the number of rows in each, whenever something of it changes."""

    pause = 0.15
    """Seconds between two messages."""

    async def connect(self) -> None:
        self.shown: object = None
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.tab = inbox.tab_called(query.get("tab", [""])[0])
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board", "inbox", "task:*"}

    async def changed(self, topics: frozenset[str]) -> None:
        now = await database_sync_to_async(inbox.context_of)(self.user, self.tab)
        if now != self.shown:
            self.shown = now
            await self.push(
                {"t": "inbox", **{name: now[name] for name in ("rows", "more", "holds", "counts")}}
            )
            await asyncio.sleep(self.pause)


class AttentionConsumer(LiveConsumer):
    """Sends every page the number of open requests and the notifications that it has not had yet."""

    pause = 0.3

    async def connect(self) -> None:
        self.count = -1
        self.seen: int | None = None
        self.position_known = asyncio.Event()
        self.visible = asyncio.Event()
        await super().connect()

    async def topics(self) -> set[str]:
        return {"board", "task:*"}

    async def received(self, message: dict[str, Any]) -> None:
        """Store the last notification of the page, {"t": "from", "after": id}, with null for none, or
        whether a user can see the page: {"t": "visible", "is": true}.
        """
        if message.get("t") == "visible":
            (self.visible.set if message.get("is") is True else self.visible.clear)()
        if message.get("t") == "from" and not self.position_known.is_set():
            after = message.get("after")
            self.seen = after if isinstance(after, int) else None
            self.position_known.set()

    async def beside(self) -> None:
        """Note that the user is here while the page is visible, and tell the page of an absence."""
        while True:
            await self.visible.wait()
            if await database_sync_to_async(attendance.note)(self.user):
                await self.push({"t": "returned"})
            await asyncio.sleep(attendance.EVERY.total_seconds())

    async def changed(self, topics: frozenset[str]) -> None:
        await self.position_known.wait()
        count, news = await database_sync_to_async(self.read)()
        if news or count != self.count:
            self.count = count
            await self.push({"t": "attention", "count": count, "news": news, "last": self.seen})
            await asyncio.sleep(self.pause)

    def read(self) -> tuple[int, list[dict[str, Any]]]:
        """Return the number of open requests, and the new notifications that still apply.

        A page without a last notification starts with the newest one and gets only later ones.
        """
        count = inbox.attention_count(self.user)
        rows = notifications.visible(self.user)
        if self.count < 0:
            newest = rows.values_list("pk", flat=True).last() or 0
            self.seen = newest if self.seen is None else min(self.seen, newest)
        new = list(rows.filter(pk__gt=self.seen)[:MAX_NEWS])
        if new:
            self.seen = new[-1].pk
        oldest = timezone.now() - STALE
        return count, [
            notifications.as_message(row) for row in new if row.at > oldest and not notifications.is_over(row)
        ]
