"""The one channel to a host's tmux server, and everybody who looks through it.

A window that somebody looks at is linked into a session of the hub's own; output is told apart by pane.
Nothing here waits for a browser, and all of it belongs to the loop of the hosts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from terminal.control import listing
from terminal.control.client import ControlClient, Replies, TmuxRefused
from terminal.control.listing import HUB, Row
from terminal.control.panes import LinkedWindow, Pane
from terminal.control.protocol import Message, Notice, Output
from terminal.control.viewer import MAX_LINES, Size, Viewer
from workspaces.hosts import HostConnection, HostError

log = logging.getLogger(__name__)

LINGER_SECONDS = 15.0
"""How long a window stays linked after the last one has left: a reload finds all modes known."""
REFRESH_SECONDS = 0.03
"""Notices come in swarms; one look at the server answers them."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
WINDOWS_CHANGED = {
    "window-add",
    "unlinked-window-add",
    "window-close",
    "unlinked-window-close",
    "window-renamed",
    "unlinked-window-renamed",
    "session-window-changed",
    "session-renamed",
    "sessions-changed",
}


class SessionGone(Exception):
    """There is no such tmux session on the host."""


class TerminalHub:
    """All terminals of one host."""

    def __init__(self, host: HostConnection) -> None:
        self.host = host
        self.name = f"{HUB}{secrets.token_hex(4)}"
        self.viewers: set[Viewer] = set()
        self._client: ControlClient | None = None
        self._opening: asyncio.Task[ControlClient] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming_back: asyncio.Task[None] | None = None
        self._refreshing = False
        self._forget()

    def _forget(self) -> None:
        """What was known belongs to a channel that is gone."""
        self._windows: dict[str, LinkedWindow] = {}
        self._panes: dict[str, Pane] = {}
        self._idle = ""

    # what a viewer asks for

    async def attach(self, viewer: Viewer) -> None:
        """Show the viewer its session from now on. Raises SessionGone, Refused and HostError."""
        client = await self.ready()
        rows = await self._list(client)
        mine = viewer.target.rows(rows)
        if not mine:
            raise SessionGone
        self.viewers.add(viewer)
        self._tell_windows(viewer, mine)
        self._show(client, viewer, chosen(mine, viewer.target.window))

    def detach(self, viewer: Viewer) -> None:
        """The viewer has left."""
        self.viewers.discard(viewer)
        self._leave(viewer)

    def typed(self, viewer: Viewer, data: bytes) -> None:
        """Keys of a person: whoever types sets the size."""
        if pane := self._led_by(viewer):
            pane.typed(data)

    def answered(self, viewer: Viewer, data: bytes) -> None:
        """What the terminal itself answers to a program's question."""
        if viewer.pane:
            viewer.pane.typed(data)

    def pasted(self, viewer: Viewer, text: str) -> None:
        if pane := self._led_by(viewer):
            pane.pasted(text)

    def _led_by(self, viewer: Viewer) -> Pane | None:
        """The pane for what this person types, who leads from now on. Without one they are told."""
        if viewer.pane is None:
            viewer.tell({"t": "missed"})
            return None
        viewer.looks = False
        viewer.pane.window.claim(viewer.size)
        viewer.pane.lead(viewer)
        return viewer.pane

    def resized(self, viewer: Viewer, size: Size, *, looks: bool) -> None:
        """The viewer's room has changed; one that just looks only remembers it."""
        viewer.size = size
        viewer.looks = looks
        if viewer.pane and not looks:
            viewer.pane.window.claim(size)

    def pulse(self, viewer: Viewer) -> None:
        """Say that the whole way to tmux is alive, once tmux has said so."""

        def alive(_replies: Replies, _error: str) -> None:
            viewer.tell({"t": "pulse"})

        if self._client and viewer.pane:
            self._client.send("display-message -p ''", done=alive)
        else:
            alive([], "")  # a loss is told of by itself

    def acknowledged(self, viewer: Viewer, total: int) -> None:
        if viewer.acknowledged(total) and viewer.pane:
            viewer.pane.sync(viewer)

    def wants_history(self, viewer: Viewer, lines: int) -> None:
        """Show the viewer that many lines of history, now and after each repaint."""
        viewer.lines = max(viewer.lines, min(lines, MAX_LINES))
        if viewer.pane:
            viewer.pane.sync(viewer)

    def choose(self, viewer: Viewer, window: str) -> None:
        """Show another window of the session."""
        viewer.target = replace(viewer.target, window=window)
        if self._client and viewer in self.viewers:
            self._soon(self._refresh(self._client))

    async def sessions(self) -> list[Row]:
        """All windows on the host but the hubs' own. Raises HostError and Refused."""
        rows = await self._list(await self.ready())
        return [row for row in rows if not row.session.startswith(HUB)]

    # the channel

    async def ready(self) -> ControlClient:
        """The open channel; all who need it wait for one attempt. Raises HostError."""
        if self._client and not self._client.ended:
            return self._client
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """End the channel; tmux removes the hub session then."""
        self.viewers.clear()
        for task in self._tasks:
            task.cancel()
        if self._client:
            self._client.close()

    async def _open(self) -> ControlClient:
        client = ControlClient(self._take, self._lost)
        self._forget()
        await client.start(self.host, self.name)
        try:
            replies = await client.ask(
                f"refresh-client -f pause-after=5 ; set-option -t {self.name} destroy-unattached on"
                " ; display-message -p '#{window_id}'",
                3,
            )
        except TmuxRefused as error:
            client.close()
            raise HostError(
                f"tmux on {self.host.label} refused: {error}",
                "Terminals need tmux 3.2 or newer there.",
                code="remote_failed",
            ) from error
        self._idle = replies[2][0].decode()
        return client

    def _opened(self, task: asyncio.Task[ControlClient]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._client = task.result()
            if self.viewers:
                self._refresh_soon()

    def _lost(self, reason: str) -> None:
        """The channel has ended: say so, and come back by itself while anybody looks."""
        self._client = None
        for viewer in self.viewers:
            viewer.pane = None
            viewer.tell({"t": "link", "state": "lost", "message": f"The link to tmux was lost: {reason}."})
        self._forget()
        if self.viewers and (self._coming_back is None or self._coming_back.done()):
            self._coming_back = self._soon(self._come_back())

    async def _come_back(self) -> None:
        """Try until everybody who stays sees their session again."""
        pause = FIRST_PAUSE
        while waiting := [viewer for viewer in self.viewers if viewer.pane is None]:
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311
            pause = min(LONGEST_PAUSE, pause * 2)
            try:
                await self._refresh(await self.ready())
            except HostError as error:
                for viewer in waiting:
                    viewer.tell({"t": "link", "state": "lost", "message": error.reason})

    # what tmux tells

    def _take(self, message: Message) -> None:
        if isinstance(message, Output):
            if pane := self._panes.get(message.pane):
                pane.output(message.data)
        elif isinstance(message, Notice):
            self._note(message.name, message.rest.split(" "))

    def _note(self, name: str, words: list[str]) -> None:
        if name == "layout-change" and (window := self._windows.get(words[0])):
            window.laid_out(words[2] if len(words) > 2 else words[1])
        elif name == "pane-mode-changed" and (pane := self._panes.get(words[0])):
            pane.may_be_in_mode = True
        elif name == "pause" and (pane := self._panes.get(words[0])):
            pane.paused_by_tmux()
        elif (name == "window-pane-changed" and words[0] in self._windows) or name in WINDOWS_CHANGED:
            self._refresh_soon()

    def _refresh_soon(self) -> None:
        if not self._refreshing and self._client:
            self._refreshing = True
            self._soon(self._refresh_after_swarm(self._client))

    async def _refresh_after_swarm(self, client: ControlClient) -> None:
        await asyncio.sleep(REFRESH_SECONDS)
        self._refreshing = False
        await self._refresh(client)

    async def _refresh(self, client: ControlClient) -> None:
        """Look at the server again: bring viewers to where they belong and clear away what is left over."""
        try:
            rows = await self._list(client)
        except TmuxRefused:
            return  # the channel is gone, or will be asked again at the next notice
        for row in rows:
            if row.session == self.name and row.window != self._idle and row.is_left_over:
                client.send(f"kill-window -t {row.window}")
        for viewer in list(self.viewers):
            self._place(client, viewer, viewer.target.rows(rows))

    def _place(self, client: ControlClient, viewer: Viewer, rows: list[Row]) -> None:
        if not rows:
            self._exit(viewer, "The session has ended.")
            return
        self._tell_windows(viewer, rows)
        row = chosen(rows, viewer.target.window)
        if viewer.pane is None:
            viewer.tell({"t": "link", "state": "up"})
        if viewer.pane is None or viewer.pane.id != row.pane:
            self._show(client, viewer, row)

    # windows and panes

    async def _list(self, client: ControlClient) -> list[Row]:
        return listing.parse((await client.ask(listing.COMMAND))[0])

    def _show(self, client: ControlClient, viewer: Viewer, row: Row) -> None:
        """Link the window unless it is, and send the viewer all of its pane instead of what it saw."""
        self._leave(viewer)
        window = self._windows.get(row.window)
        if window is None:
            window = self._windows[row.window] = LinkedWindow(client, row.window, (0, 0))
            client.send(f"link-window -d -s {row.window} -t {self.name}:")
        pane = window.panes.get(row.pane)
        if pane is None:
            pane = self._panes[row.pane] = window.panes[row.pane] = Pane(client, row.pane, window)
        pane.add(viewer)
        pane.sync(viewer)

    def _leave(self, viewer: Viewer) -> None:
        if viewer.pane is None:
            return
        window = viewer.pane.window
        viewer.pane.remove(viewer)
        if not window.viewers:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._unlink, window)

    def _unlink(self, window: LinkedWindow) -> None:
        """Let go of a window that nobody looks at; its size is again what real terminals make it."""
        if window.viewers or self._client is None or self._windows.get(window.id) is not window:
            return
        del self._windows[window.id]
        for pane in window.panes.values():
            del self._panes[pane.id]
            pane.release()
        self._client.send(f"set-option -w -u -t {window.id} window-size")
        self._client.send(f"unlink-window -t {self.name}:{window.id}")

    def _tell_windows(self, viewer: Viewer, rows: list[Row]) -> None:
        shown = chosen(rows, viewer.target.window).window
        windows = [{"id": row.window, "name": row.name, "current": row.window == shown} for row in rows]
        tabs = {"session": rows[0].session, "windows": windows, "follows": not viewer.target.window}
        if tabs != viewer.tabs:
            viewer.tabs = tabs
            viewer.tell({"t": "windows", **tabs})

    def _exit(self, viewer: Viewer, reason: str) -> None:
        self.detach(viewer)
        viewer.tell({"t": "exit", "reason": reason})

    def _soon(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def chosen(rows: list[Row], window: str) -> Row:
    """The window that was asked for, else the session's current one."""
    wanted = [row for row in rows if row.window == window]
    current = [row for row in rows if row.active]
    return (wanted or current or rows)[0]
