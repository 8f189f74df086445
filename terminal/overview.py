"""The sidebar's socket: all live sessions, as they come, go and print."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.http import Http404
from django.template.loader import render_to_string

from aitask.lib.sockets import LiveConsumer
from terminal import access, queries
from terminal.control import gateway
from terminal.control.client import TmuxRefused
from terminal.control.listing import Row
from workspaces.hosts import Address, HostError

HOST_SECONDS = 8.0
"""A host that is slower than that is shown as out of reach for now."""


class SessionsConsumer(LiveConsumer):
    """Pushes the rendered list whenever it differs from what the page has."""

    look_seconds = 3.0

    async def connect(self) -> None:
        self.shown = ""
        await super().connect()

    async def topics(self) -> set[str]:
        user = await database_sync_to_async(User.objects.get)(pk=self.user.pk)
        if not await database_sync_to_async(access.may_use)(user):
            raise Http404
        return {"board", "hosts"}

    async def changed(self, topics: frozenset[str]) -> None:
        html = await render_sessions(self.user)
        if html != self.shown:
            self.shown = html
            await self.push({"t": "sessions", "html": html})

    async def received(self, message: dict[str, Any]) -> None:
        """The page says nothing but what it has read."""


async def render_sessions(user: User) -> str:
    """The list of sessions as HTML, after asking all hosts of the user."""
    addresses = await database_sync_to_async(queries.addresses)(user)
    seen = await asyncio.gather(*(_look(address) for address in addresses.values()))
    return await database_sync_to_async(_render)(user, dict(zip(addresses, seen, strict=True)))


async def _look(address: Address) -> list[Row] | str:
    try:
        async with asyncio.timeout(HOST_SECONDS):
            return await gateway.run(gateway.hub_of(address).sessions())
    except (HostError, TmuxRefused) as error:
        return str(error)
    except TimeoutError:
        return "The host does not answer just now."


def _render(user: User, sight: dict[str, list[Row] | str]) -> str:
    return render_to_string("terminal/_sessions.html", {"groups": queries.groups(user, sight)})
