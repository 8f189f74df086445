"""The base class of live sockets: permission, wake-ups by the doorbell, and a limit on unread data."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Iterable
from importlib import import_module
from typing import Any, cast

from asgiref.sync import SyncToAsync, sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.db import connections
from django.http import Http404, HttpRequest

from aitask.lib import doorbell, untrusted_json

log = logging.getLogger(__name__)

WINDOW_BYTES = 256 * 1024
ACK_SECONDS = 60.0
LOGIN_NEEDED = 4401
NOT_FOUND = 4404
TOO_SLOW = 4408
SERVER_ERROR = 1011


class LoginEnded(Exception):
    """The session that opened the socket has ended."""


class LiveConsumer(AsyncWebsocketConsumer):
    """A socket that is woken by the doorbell and sends its page what has changed.

    A subclass implements `topics`, which raises Http404 if the user has no access, and `changed`, which reads
    rows and calls `push`. Each pushed message has a number `n`; the page answers `{"ack": n}`, because Daphne
    would buffer without limit for a page that does not read. Close codes: 4401 log in again, 4404 deleted or
    no access any more, 4408 the page stopped reading.
    """

    channel_layer_alias = ""
    """Not used: the doorbell wakes the socket, and it must stay open if Redis can't be reached."""

    poll_seconds = 5.0
    """The longest delay of a change whose ring was lost."""

    check_seconds = 30.0
    """How often login and permission are checked again."""

    async def topics(self) -> Iterable[str]:
        """Return the topics to be woken by. Raises Http404 if the user has no access. Called every 30 s."""
        raise NotImplementedError

    async def changed(self, topics: frozenset[str]) -> None:
        """Read what is new and push it. {"*"}, as in the first call, means that anything may have changed."""
        raise NotImplementedError

    async def received(self, message: dict[str, Any]) -> None:
        """Handle a message of the page that is not an acknowledgement. Does nothing by default."""

    async def beside(self) -> None:
        """Push what the doorbell does not ring for, as long as the socket is open. Nothing by default."""

    async def connect(self) -> None:
        self.user = cast("User", self.scope["user"])
        self._sent = 0
        self._unread_bytes = 0
        self._unacknowledged: deque[tuple[int, int]] = deque()
        self._may_send = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        try:
            topics = await self.topics()
        except Http404:
            await self.close()
            return
        self.subscription = doorbell.subscribe(topics)
        await self.accept()
        self._loop_task = asyncio.create_task(self._live())

    async def disconnect(self, code: int) -> None:
        if self._loop_task is not None:
            self.subscription.close()  # ends `_follow`, whatever becomes of the cancel
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = untrusted_json.loads(text_data or "")
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if isinstance(message.get("ack"), int):
            self._acknowledge(message["ack"])
        else:
            await self.received(message)

    async def push(self, message: dict[str, Any]) -> None:
        """Send a message to the page; wait while it has too much unread data."""
        while self._unread_bytes > WINDOW_BYTES:
            self._may_send.clear()
            async with asyncio.timeout(ACK_SECONDS):  # wait_for could lose the cancel of `disconnect`
                await self._may_send.wait()
        self._sent += 1
        text = json.dumps({"n": self._sent, **message}, ensure_ascii=False, separators=(",", ":"))
        self._unacknowledged.append((self._sent, len(text)))
        self._unread_bytes += len(text)
        await self.send(text_data=text)

    async def until_read(self, most: int) -> None:
        """Wait until the page has at most so many unread bytes."""
        async with asyncio.timeout(ACK_SECONDS):
            while self._unread_bytes > most:
                self._may_send.clear()
                await self._may_send.wait()

    def _acknowledge(self, number: int) -> None:
        while self._unacknowledged and self._unacknowledged[0][0] <= number:
            self._unread_bytes -= self._unacknowledged.popleft()[1]
        self._may_send.set()

    async def _live(self) -> None:
        """Serve the page until it disconnects; any other end sends it a close code."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._check_session())
                tasks.create_task(self.beside())
        except* Http404:
            await self.close(NOT_FOUND)
        except* LoginEnded:
            await self.close(LOGIN_NEEDED)
        except* TimeoutError:
            await self.close(TOO_SLOW)
        except* Exception:
            log.exception("socket %s failed", self.scope["path"])
            await self.close(SERVER_ERROR)

    async def _follow(self) -> None:
        rung = frozenset({doorbell.ANYTHING})
        while not self.subscription.closed:
            await self.changed(rung)
            rung = await self.subscription.wait(self.poll_seconds) or frozenset({doorbell.ANYTHING})

    async def _check_session(self) -> None:
        while True:
            await asyncio.sleep(self.check_seconds)
            user = await session_user(self.scope["session"].session_key, self.user)
            if user is None:
                raise LoginEnded
            self.user = user  # whose permissions may have changed
            self.subscription.topics = frozenset(await self.topics())


async def let_go_of_database() -> None:
    """End this socket's thread and database connection, which it needs only for moments."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context and context in SyncToAsync.context_to_thread_executor:
        await sync_to_async(connections.close_all)()
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor:
            executor.shutdown(wait=False)  # the next call gets another


@database_sync_to_async
def session_user(session_key: str | None, user: User) -> User | None:
    """Return the user as they are now; None if the session is not valid for them any more.

    It must not have ended, the password must be the same, and the account active.
    """
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    current = auth.get_user(request)
    return current if current.is_authenticated and current.pk == user.pk else None
