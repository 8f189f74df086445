"""The socket of a terminal: bytes both ways as binary frames, everything else as JSON.

It is a bare ASGI application: a Channels consumer asks a thread about the database before each message, which
would be felt at each key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any, cast

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404

from aitask.lib.errors import Refused
from aitask.lib.fast_socket import direct_of
from aitask.lib.origin import Receive, Scope, Send
from aitask.lib.sockets import LOGIN_NEEDED, NOT_FOUND, SERVER_ERROR, let_go_of_database, session_is_valid
from terminal import access, frames, services
from terminal.control import gateway
from terminal.control.client import TmuxRefused as TmuxRefused
from terminal.control.hub import SessionGone, TerminalHub
from terminal.control.viewer import Viewer
from terminal.frames import Json
from terminal.models import Visit
from terminal.outbox import Outbox
from terminal.places import Place

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""How often the login and the permission are checked again."""
MAX_PASTED = 16 << 20
REFUSED, AWAY = 4410, 4411
"""The session can't be shown, or not just now; a frame before it says why."""
FORBIDDEN = 4403
LEAVING = asyncio.Semaphore(4)


class Ended(Exception):
    """The socket is over, with this close code."""

    def __init__(self, code: int = 1000) -> None:
        super().__init__(code)
        self.code = code


class TerminalSocket:
    """One browser at one session, from the handshake to the end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.user = cast(User, scope["user"])
        self.direct = direct_of(scope)
        self.outbox = Outbox(send, self.direct)
        self.early: list[bytes | str] | None = []
        "What came before the session was shown; None from then on."
        self.query = frames.query(scope)
        self.pasted: list[str] = []

    async def run(self) -> None:
        await self.receive()
        try:
            self.place = await self._place()
        except (Http404, PermissionDenied):
            await self.send({"type": "websocket.close"})
            return
        self.hub: TerminalHub = gateway.hub_of(self.place.address)
        self.viewer = Viewer(
            self.place.target,
            frames.size(self.query),
            self.outbox.put,
            looks=bool(frames.whole(self.query, "looks")),
        )
        self.visit = await database_sync_to_async(services.log)(
            self.place, self.user, Visit.Kind.OPEN, client=_client(self.scope)
        )
        await let_go_of_database()
        if self.direct:
            self.direct.listen(self._received)
        await self.send({"type": "websocket.accept"})
        await self._serve()

    async def _serve(self) -> None:
        """Until the browser goes, the login ends or the session can't be shown."""
        code = SERVER_ERROR
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.outbox.run())
                tasks.create_task(self._check_again())
                tasks.create_task(self._begin())
                tasks.create_task(self._read())
        except* Ended as group:
            code = min(cast(Ended, error).code for error in group.exceptions)
        except* Exception:
            log.exception("terminal %s failed", self.place.session)
        finally:
            gateway.soon(self.hub.detach, self.viewer)
            await asyncio.shield(self._leave())
        if code:
            with contextlib.suppress(Exception):
                await self.send({"type": "websocket.close", "code": code})

    async def _leave(self) -> None:
        """Note the end; when all leave at once, a few at a time."""
        async with LEAVING:
            await database_sync_to_async(services.left)(self.visit)
            await let_go_of_database()

    async def _check_again(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not await session_is_valid(self.scope["session"].session_key, self.user):
                raise Ended(LOGIN_NEEDED)
            try:
                await self._place()
            except Http404:
                raise Ended(NOT_FOUND) from None
            except PermissionDenied:
                raise Ended(FORBIDDEN) from None
            await database_sync_to_async(services.still_open)(self.visit)
            await let_go_of_database()

    async def _place(self) -> Place:
        route = self.scope["url_route"]["kwargs"]
        user = await database_sync_to_async(User.objects.get)(pk=self.user.pk)
        return await database_sync_to_async(access.place_for)(user, route["kind"], route["pk"])

    async def _begin(self) -> None:
        try:
            await self._attach()
        except (Refused, TmuxRefused) as error:
            await self._refuse(error)
        early, self.early = self.early or [], None
        for message in early:
            self._received(message)

    async def _read(self) -> None:
        while True:
            event = await self.receive()
            if event["type"] == "websocket.disconnect":
                raise Ended(0)
            self._received(event.get("bytes") or event.get("text") or "")

    def _received(self, message: bytes | str) -> None:
        """Keys, or a text frame of the page. Until the session is shown all but a pulse waits."""
        said = frames.parse(message) if isinstance(message, str) else {}
        if self.early is not None and said.get("t") != "pulse":
            self.early.append(message)
        elif isinstance(message, bytes):
            gateway.soon(self.hub.typed, self.viewer, message)
        else:
            self._take(said)

    async def _attach(self) -> None:
        """Show the session. One that is gone but left a history is made anew only when the page says so."""
        try:
            await gateway.run(self.hub.attach(self.viewer))
            await let_go_of_database()
        except SessionGone:
            if self.query.get("create") == "unless-history" and await self._has_history():
                self.outbox.put({"t": "gone", "history": True})
                return
            await database_sync_to_async(services.ensure_session)(self.place)
            await gateway.run(self.hub.attach(self.viewer))
            await database_sync_to_async(services.note_created)(self.visit)

    async def _has_history(self) -> bool:
        return await database_sync_to_async(services.has_history)(self.place)

    async def _refuse(self, error: Refused | TmuxRefused) -> None:
        again = getattr(error, "retryable", False)
        kind = getattr(error, "code", "refused")
        message = {"t": "error", "kind": kind, "message": str(error), "retry": again}
        await self.send({"type": "websocket.send", "text": json.dumps(message)})
        raise Ended(AWAY if again else REFUSED)

    def _take(self, message: Json) -> None:
        """A text frame of the page; what is not understood is ignored."""
        verb = VERBS.get(frames.words(message, "t"))
        if verb:
            verb(self, message)

    def ack(self, message: Json) -> None:
        gateway.soon(self.hub.acknowledged, self.viewer, frames.whole(message, "n"))

    def resize(self, message: Json) -> None:
        size, looks = frames.size(message), bool(message.get("looks"))
        gateway.soon(lambda: self.hub.resized(self.viewer, size, looks=looks))

    def paste(self, message: Json) -> None:
        """A long text comes in pieces, as the server takes no message above 1 MiB; too long a one is refused
        as a whole."""
        if sum(map(len, self.pasted)) <= MAX_PASTED:
            self.pasted.append(frames.words(message, "d"))
        if message.get("more"):
            return
        text = "".join(self.pasted)
        self.pasted.clear()
        if len(text) > MAX_PASTED:
            too_much = "That is too much to paste at once: nothing was pasted."
            self.outbox.put({"t": "error", "kind": "paste", "message": too_much})
        else:
            gateway.soon(self.hub.pasted, self.viewer, text)

    def answer(self, message: Json) -> None:
        data = frames.words(message, "d").encode("utf-8", "replace")
        if data:
            gateway.soon(self.hub.answered, self.viewer, data[:4096])

    def history(self, message: Json) -> None:
        gateway.soon(self.hub.wants_history, self.viewer, frames.whole(message, "lines"))

    def window(self, message: Json) -> None:
        gateway.soon(self.hub.choose, self.viewer, frames.words(message, "id"))

    def pulse(self, _message: Json) -> None:
        gateway.soon(self.hub.pulse, self.viewer)


VERBS: dict[str, Callable[[TerminalSocket, Json], None]] = {
    "ack": TerminalSocket.ack,
    "resize": TerminalSocket.resize,
    "paste": TerminalSocket.paste,
    "answer": TerminalSocket.answer,
    "history": TerminalSocket.history,
    "window": TerminalSocket.window,
    "pulse": TerminalSocket.pulse,
}


async def terminal_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    await TerminalSocket(scope, receive, send).run()


def _client(scope: Scope) -> str:
    client: Any = scope.get("client")
    return str(client[0]) if client else ""
