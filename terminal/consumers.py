"""The WebSocket of a terminal: input and output as binary frames, everything else as JSON.

It is a plain ASGI application, because a Channels consumer calls a database thread before each message, which
would delay each key press.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shlex
from collections.abc import Callable
from typing import cast

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404

from aitask.lib import clients
from aitask.lib.errors import Refused
from aitask.lib.fast_socket import direct_of
from aitask.lib.origin import Receive, Scope, Send
from aitask.lib.sockets import LOGIN_NEEDED, NOT_FOUND, SERVER_ERROR, let_go_of_database, session_user
from terminal import access, frames, jobs, services
from terminal.control import gateway
from terminal.control.client import TmuxRefused
from terminal.control.hub import SessionGone, TerminalHub
from terminal.control.viewer import Viewer
from terminal.frames import MAX_PASTED, Json
from terminal.models import Visit
from terminal.outbox import Outbox
from terminal.places import Place

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""Interval between checks of the login and the permission."""
REFUSED, UNAVAILABLE = 4410, 4411
"""Close codes: the session can't be shown, or can't be shown now. An error frame with the reason precedes."""
FORBIDDEN = 4403
CLOSING = asyncio.Semaphore(4)
"""Limits concurrent database writes when many sockets close together."""


class SocketEnded(Exception):
    """Ends the socket with a close code; with 0 the browser has closed it already."""

    def __init__(self, code: int = 1000) -> None:
        super().__init__(code)
        self.code = code


class TerminalSocket:
    """One browser's connection to one session."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.user = cast(User, scope["user"])
        self.direct = direct_of(scope)
        self.outbox = Outbox(send, self.direct)
        self.early: list[bytes | str] | None = []
        "Messages received before the session is shown; None afterwards."
        self.query = frames.query(scope)
        self.pasted: list[str] = []
        self.opening: asyncio.Task[None] | None = None
        "Opens a shell in the session."
        self.putting: set[asyncio.Task[None]] = set()
        "Each puts a file on the host."

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
            passive=bool(frames.count(self.query, "looks")),
            lines=frames.count(self.query, "lines"),
        )
        self.visit = await database_sync_to_async(services.log)(
            self.place, self.user, Visit.Kind.OPEN, client=clients.of_scope(self.scope)
        )
        await let_go_of_database()
        if self.direct:
            self.direct.listen(self._received)
        await self.send({"type": "websocket.accept"})
        await self._serve()

    async def _serve(self) -> None:
        """Run until the browser disconnects, the login ends or the session can't be shown."""
        code = SERVER_ERROR
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.outbox.run())
                tasks.create_task(self._recheck_access())
                tasks.create_task(self._begin())
                tasks.create_task(self._read())
        except* SocketEnded as group:
            code = min(cast(SocketEnded, error).code for error in group.exceptions)
        except* Exception:
            log.exception("terminal %s failed", self.place.session)
        finally:
            gateway.soon(self.hub.detach, self.viewer)
            await asyncio.shield(self._log_closed())
        if code:
            with contextlib.suppress(Exception):
                await self.send({"type": "websocket.close", "code": code})

    async def _log_closed(self) -> None:
        async with CLOSING:
            await database_sync_to_async(self._note_closed)()
            await let_go_of_database()

    def _note_closed(self) -> None:
        services.mark_closed(self.visit)
        jobs.index_soon(self.place.task)

    async def _recheck_access(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if await session_user(self.scope["session"].session_key, self.user) is None:
                raise SocketEnded(LOGIN_NEEDED)
            try:
                await self._place()
            except Http404:
                raise SocketEnded(NOT_FOUND) from None
            except PermissionDenied:
                raise SocketEnded(FORBIDDEN) from None
            await database_sync_to_async(services.mark_open)(self.visit)
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
                raise SocketEnded(0)
            self._received(event.get("bytes") or event.get("text") or "")

    def _received(self, message: bytes | str) -> None:
        """Handle input or a text frame. Until the session is shown, everything except a pulse is queued."""
        parsed = frames.parse(message) if isinstance(message, str) else {}
        if self.early is not None and parsed.get("t") != "pulse":
            self.early.append(message)
        elif isinstance(message, bytes):
            gateway.soon(self.hub.typed, self.viewer, message)
        else:
            self._dispatch(parsed)

    async def _attach(self) -> None:
        """Show the session, and create it if it doesn't exist.

        With `create=ask`, a session is not created if it has saved history, which the page then shows, or if
        the task's branch and worktree would be created, too.
        """
        try:
            await gateway.run(self.hub.attach(self.viewer))
            await let_go_of_database()
        except SessionGone:
            if await self._attach_to_earlier():
                return
            if self.query.get("create") == "ask" and (reasons := await self._reasons_to_ask()):
                self.outbox.put({"t": "gone", **reasons})
                return
            await database_sync_to_async(services.ensure_session)(self.place)
            await gateway.run(self.hub.attach(self.viewer))
            await database_sync_to_async(services.mark_created)(self.visit)

    async def _attach_to_earlier(self) -> bool:
        """Show the session if an earlier version has made it on the user's tmux server."""
        hub = await asyncio.to_thread(gateway.earlier_hub_of, self.place.address)
        if hub is None:
            return False
        try:
            await gateway.run(hub.attach(self.viewer))
        except SessionGone:
            return False
        self.hub = hub
        return True

    async def _reasons_to_ask(self) -> Json:
        """Return why the user should decide whether the session is created; empty if there is no reason."""
        history = await database_sync_to_async(services.has_history)(self.place)
        creates = services.announcement(self.place)
        return {"history": history, "creates": creates} if history or creates else {}

    async def _refuse(self, error: Refused | TmuxRefused) -> None:
        retryable = getattr(error, "retryable", False)
        kind = getattr(error, "code", "refused")
        message = {"t": "error", "kind": kind, "message": str(error), "retry": retryable}
        await self.send({"type": "websocket.send", "text": json.dumps(message)})
        raise SocketEnded(UNAVAILABLE if retryable else REFUSED)

    def _dispatch(self, message: Json) -> None:
        """Call the handler of a text frame; unknown types are ignored."""
        handler = HANDLERS.get(frames.string(message, "t"))
        if handler:
            handler(self, message)

    def ack(self, message: Json) -> None:
        gateway.soon(self.hub.acknowledged, self.viewer, frames.count(message, "n"))

    def resize(self, message: Json) -> None:
        size, passive = frames.size(message), bool(message.get("looks"))
        gateway.soon(lambda: self.hub.resized(self.viewer, size, passive=passive))

    def paste(self, message: Json) -> None:
        """Collect the pieces of a pasted text and paste it after the last one.

        The page sends pieces because the server accepts at most 1 MiB per message. If the text is longer than
        MAX_PASTED, nothing is pasted.
        """
        if sum(map(len, self.pasted)) <= MAX_PASTED:
            self.pasted.append(frames.string(message, "d"))
        if message.get("more"):
            return
        text = "".join(self.pasted)
        self.pasted.clear()
        if len(text) > MAX_PASTED:
            reason = "The text is longer than 16 million characters, so nothing was pasted."
            self.outbox.put({"t": "error", "kind": "notice", "message": reason})
        else:
            gateway.soon(self.hub.pasted, self.viewer, text)

    def newline(self, _message: Json) -> None:
        gateway.soon(self.hub.new_line, self.viewer)

    def shell(self, _message: Json) -> None:
        """Open a shell in the worktree, in the session that is shown."""
        if self.opening is None or self.opening.done():
            self.opening = asyncio.create_task(self._open_shell())

    async def _open_shell(self) -> None:
        try:
            session = await database_sync_to_async(services.ensure_session)(self.place)
            await gateway.run(self.hub.choose_named(self.viewer, session, services.WINDOW))
        except (Refused, TmuxRefused) as error:
            self.outbox.put({"t": "error", "kind": "notice", "message": str(error)})
        finally:
            await let_go_of_database()

    def file(self, message: Json) -> None:
        """Put an uploaded file on the host, then type its path. Nothing is sent to the program but that."""
        tasks = self.putting
        tasks.add(task := asyncio.create_task(self._put_file(frames.count(message, "id"))))
        task.add_done_callback(tasks.discard)

    async def _put_file(self, pk: int) -> None:
        try:
            # In a thread of its own: it may take long, and the threads for the database are few.
            path = await asyncio.to_thread(services.put_file, self.place, pk, self.user)
        except Refused as error:
            self.outbox.put({"t": "file", "id": pk, "error": str(error)})
        else:
            gateway.soon(self.hub.pasted, self.viewer, f"{shlex.quote(path)} ")
            self.outbox.put({"t": "file", "id": pk, "path": path})

    def answer(self, message: Json) -> None:
        data = frames.string(message, "d").encode("utf-8", "replace")
        if data:
            gateway.soon(self.hub.answered, self.viewer, data[:4096])

    def history(self, message: Json) -> None:
        gateway.soon(self.hub.extend_history, self.viewer, frames.count(message, "lines"))

    def window(self, message: Json) -> None:
        gateway.soon(self.hub.choose, self.viewer, frames.string(message, "id"))

    def pulse(self, _message: Json) -> None:
        gateway.soon(self.hub.pulse, self.viewer)


HANDLERS: dict[str, Callable[[TerminalSocket, Json], None]] = {
    "ack": TerminalSocket.ack,
    "resize": TerminalSocket.resize,
    "paste": TerminalSocket.paste,
    "newline": TerminalSocket.newline,
    "shell": TerminalSocket.shell,
    "file": TerminalSocket.file,
    "answer": TerminalSocket.answer,
    "history": TerminalSocket.history,
    "window": TerminalSocket.window,
    "pulse": TerminalSocket.pulse,
}


async def terminal_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    await TerminalSocket(scope, receive, send).run()
