"""The sidebar's WebSocket: pushes the list of live sessions when it changes."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.http import Http404
from django.template.loader import render_to_string

from aitask.lib.errors import Refused
from aitask.lib.sockets import LiveConsumer
from terminal import access, queries
from terminal.control import gateway
from terminal.control.client import TmuxRefused
from terminal.control.listing import Row
from workspaces.hosts import Address

HOST_SECONDS = 8.0
"""Time limit for a host's answer; after that the sidebar shows it as unreachable."""


class SessionsConsumer(LiveConsumer):
    """Pushes the rendered list whenever it differs from the one that the page shows."""

    poll_seconds = 3.0

    async def connect(self) -> None:
        self.shown = ""
        await super().connect()

    async def topics(self) -> set[str]:
        user = await database_sync_to_async(User.objects.get)(pk=self.user.pk)
        if not await database_sync_to_async(access.may_use)(user):
            raise Http404
        return {"board", "task:*", "hosts"}

    async def changed(self, topics: frozenset[str]) -> None:
        html = await render_sessions(self.user)
        if html != self.shown:
            self.shown = html
            await self.push({"t": "sessions", "html": html})

    async def received(self, message: dict[str, Any]) -> None:
        """Ignore it: the page sends acknowledgements only."""


async def render_sessions(user: User) -> str:
    """List the sessions on all hosts of the user and return them as HTML."""
    addresses = await database_sync_to_async(queries.addresses)(user)
    results = await asyncio.gather(*(_windows_on(address) for address in addresses.values()))
    return await database_sync_to_async(_render)(user, dict(zip(addresses, results, strict=True)))


async def _windows_on(address: Address) -> list[Row] | str:
    """Return the windows on a host, or why they can't be listed."""
    try:
        async with asyncio.timeout(HOST_SECONDS):
            rows = await gateway.run(gateway.hub_of(address).sessions())
            earlier = await asyncio.to_thread(gateway.earlier_hub_of, address)
            return rows + (await gateway.run(earlier.sessions()) if earlier else [])
    except (Refused, TmuxRefused) as error:
        return str(error)
    except TimeoutError:
        return f"The host did not answer within {HOST_SECONDS:g} seconds."


def _render(user: User, listings: dict[str, list[Row] | str]) -> str:
    groups = queries.groups(user, listings)
    finished = [session for group in groups for session in group.sessions if session.is_finished]
    titles = ", ".join(f"“{session.title}”" for session in finished)
    context = {"groups": groups, "finished": finished, "titles": titles}
    return render_to_string("terminal/_sessions.html", context)
