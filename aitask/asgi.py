"""The ASGI application: HTTP by Django, WebSockets by Channels."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitask.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

# The imports below need the apps that get_asgi_application has loaded.
from asgiref.sync import ThreadSensitiveContext
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from aitask.lib.large_bodies import with_large_bodies
from aitask.lib.origin import Application, Receive, Scope, Send, own_origin_only, refuse
from aitask.lib.sockets import let_go_of_database
from tasks import routing as tasks
from terminal import routing as terminal

HANDSHAKES = 4
"""Handshakes at the same time. Each needs a thread and a database connection."""
websocket_urlpatterns = [*tasks.websocket_urlpatterns, *terminal.websocket_urlpatterns]


def own_thread(application: Any) -> Application:
    """Give each socket its own thread for blocking work, so that a slow query delays only one socket."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        async with ThreadSensitiveContext():
            try:
                await application(scope, receive, send)
            finally:
                await let_go_of_database()

    return inner


def few_handshakes(application: Application) -> Application:
    """Limit the handshakes that use the database at once, when all browsers reconnect after a restart."""
    slots = asyncio.Semaphore(HANDSHAKES)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as slot:
            await slots.acquire()
            slot.callback(slots.release)

            async def send_and_release(message: Any) -> None:
                if message["type"] in ("websocket.accept", "websocket.close"):
                    slot.close()
                await send(message)

            await application(scope, receive, send_and_release)

    return inner


def login_required(application: Application) -> Application:
    """Refuse the handshake of a socket without a logged-in user."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["user"].is_authenticated:
            await application(scope, receive, send)
        else:
            await refuse(receive, send)

    return inner


def known_paths(application: Application) -> Application:
    """Refuse the handshake at an unknown path, instead of logging a server error."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/")
        if any(pattern.pattern.match(path) for pattern in websocket_urlpatterns):
            await application(scope, receive, send)
        else:
            await refuse(receive, send)

    return inner


async def lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the lifespan protocol, which servers other than Daphne use. There is nothing to do."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


routes: Any = URLRouter(cast(Any, websocket_urlpatterns))
logged_in: Any = AuthMiddlewareStack(cast(Any, login_required(routes)))
sockets: Any = own_origin_only(known_paths(few_handshakes(own_thread(logged_in))))
application = ProtocolTypeRouter(
    {"http": with_large_bodies(http), "websocket": sockets, "lifespan": lifespan}
)
