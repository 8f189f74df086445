"""The control-mode channel to a host's tmux server, shared by all viewers of its terminals.

The hub links each viewed window into a session of its own, and distributes the output by pane. It never waits
for a browser. Everything here runs on the event loop of the hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import secrets
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from aitask.lib import sleep
from terminal.control import listing
from terminal.control.client import ControlClient, Replies, TmuxRefused
from terminal.control.copied import SUBSCRIBE, SUBSCRIPTION, CopiedTexts
from terminal.control.listing import HUB, Row
from terminal.control.panes import LinkedWindow, Pane
from terminal.control.protocol import Message, Notice, Output
from terminal.control.viewer import Size, Viewer
from workspaces.hosts import HostConnection, HostError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 12.0
"""How long after a lost channel a session may be missing: if tmux has ended, live runs get new windows."""
LINGER_SECONDS = 15.0
"""How long a window stays linked after its last viewer left, so that a page reload keeps the known modes."""
DEAD_HUB_SECONDS = 5.0
"""When to look for what an earlier channel has left, after a new one was opened."""
REFRESH_SECONDS = 0.03
"""Delay before the windows are listed again, because notifications come in bursts."""
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
    """The tmux session does not exist."""


class TerminalHub:
    """All terminals of a host on our tmux server, or those of earlier versions on the user's."""

    def __init__(self, host: HostConnection, *, users_server: bool = False) -> None:
        self.host = host
        self.users_server = users_server
        self.name = ""
        "Name of the session of the open channel."
        self.viewers: set[Viewer] = set()
        self._client: ControlClient | None = None
        self._opening: asyncio.Task[ControlClient] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reconnecting: asyncio.Task[None] | None = None
        self._refreshing = False
        self._patient_until = 0.0
        self._copied = CopiedTexts()
        self._reset()

    def _reset(self) -> None:
        """Clear the state of the previous channel."""
        self._windows: dict[str, LinkedWindow] = {}
        self._panes: dict[str, Pane] = {}
        self._idle = ""
        self._copied.reset()

    # calls for a viewer

    async def attach(self, viewer: Viewer) -> None:
        """Start showing the viewer its session. Raises SessionGone, TmuxRefused and HostError."""
        client = await self.ready()
        rows = await self._list(client)
        windows = viewer.target.rows(rows)
        if not windows:
            raise SessionGone
        self.viewers.add(viewer)
        self._send_windows(viewer, windows)
        self._show(client, viewer, chosen(windows, viewer.target.window))

    def detach(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self.viewers.discard(viewer)
        self._hide(viewer)

    def typed(self, viewer: Viewer, data: bytes) -> None:
        """Send key presses to the pane. The viewer's size becomes the window's size."""
        if pane := self._make_leader(viewer):
            pane.typed(data)

    def answered(self, viewer: Viewer, data: bytes) -> None:
        """Send the terminal's own answer to a query from a program, such as the cursor position."""
        if viewer.pane:
            viewer.pane.typed(data)

    def pasted(self, viewer: Viewer, text: str) -> None:
        """Paste a text into the pane. The viewer's size becomes the window's size."""
        if pane := self._make_leader(viewer):
            pane.pasted(text)

    def new_line(self, viewer: Viewer) -> None:
        """Send a new line that does not end the input, if the program in the pane has one."""
        if pane := self._make_leader(viewer):
            pane.new_line()

    def _make_leader(self, viewer: Viewer) -> Pane | None:
        """Make the viewer the leader of its pane, and return the pane.

        Without a pane, or on a link that a sleep may have cut, send `missed` to the page, which then shows
        that the input was lost.
        """
        if viewer.pane is None or (self.host.address.kind != "local" and sleep.is_unnoticed()):
            viewer.send_message({"t": "missed"})
            return None
        viewer.passive = False
        viewer.pane.window.claim(viewer.size)
        viewer.pane.lead(viewer)
        self._copied.typed(viewer)
        return viewer.pane

    def resized(self, viewer: Viewer, size: Size, *, passive: bool) -> None:
        """Store the viewer's new size, and resize the window unless the viewer is passive."""
        viewer.size = size
        viewer.passive = passive
        if viewer.pane and not passive:
            viewer.pane.window.claim(size)

    def pulse(self, viewer: Viewer) -> None:
        """Send `pulse` to the page after tmux has answered, which shows that the whole path works."""

        def alive(_replies: Replies, _error: str) -> None:
            viewer.send_message({"t": "pulse"})

        if self._client and viewer.pane:
            self._client.send("display-message -p ''", done=alive)
        else:
            alive([], "")  # `_lost` reports a lost connection

    def acknowledged(self, viewer: Viewer, total: int) -> None:
        """Note that the browser has shown `total` bytes since it connected."""
        if viewer.acknowledged(total) and viewer.pane:
            viewer.pane.sync(viewer)

    def extend_history(self, viewer: Viewer, lines: int) -> None:
        """Send the viewer a snapshot with this many lines of history, also in later snapshots."""
        viewer.want(lines)
        if viewer.pane:
            viewer.pane.sync(viewer)

    def choose(self, viewer: Viewer, window: str) -> None:
        """Show another window of the session to the viewer."""
        viewer.target = replace(viewer.target, window=window)
        if self._client and viewer in self.viewers:
            self._start(self._refresh(self._client))

    async def choose_named(self, viewer: Viewer, session: str, window: str) -> None:
        """Show the window with this name to the viewer. Raises HostError and TmuxRefused."""
        rows = await self._list(await self.ready())
        for row in rows:
            if (row.session, row.name) == (session, window):
                self.choose(viewer, row.window)

    async def sessions(self) -> list[Row]:
        """Return all windows on the host, without those of hubs. Raises HostError and TmuxRefused."""
        rows = await self._list(await self.ready())
        return [row for row in rows if not row.session.startswith(HUB)]

    # the channel

    async def ready(self) -> ControlClient:
        """Return the open channel. Concurrent calls share one attempt to open it. Raises HostError."""
        if self._client and not self._client.ended:
            return self._client
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """End the channel. The hub session is then removed on the host."""
        self.viewers.clear()
        for task in self._tasks:
            task.cancel()
        if self._client:
            self._client.close()

    async def _open(self) -> ControlClient:
        client = ControlClient(self._handle, self._lost)
        self._reset()
        # Of its own, so that removing what an earlier channel has left never concerns this one.
        self.name = f"{HUB}{secrets.token_hex(4)}"
        await client.start(self.host, self.name, users_server=self.users_server)
        # The user may have turned destroy-unattached on for their server; ours never exits by itself.
        # What the user copies on their own server is not read.
        exits = "" if self.users_server else f" ; set-option -s exit-empty off ; {SUBSCRIBE}"
        try:
            replies = await client.ask(
                "display-message -p '#{window_id}' ; refresh-client -f pause-after=5"
                f" ; set-option -t {self.name} destroy-unattached off{exits}",
                3 if self.users_server else 5,
            )
        except TmuxRefused as error:
            client.close()
            raise HostError(
                f"tmux on {self.host.label} refused: {error}",
                "Terminals need tmux 3.2 or newer on the host.",
                code="remote_failed",
            ) from error
        self._idle = replies[0][0].decode()
        return client

    def _opened(self, task: asyncio.Task[ControlClient]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._client = task.result()
            if self.viewers:
                self._refresh_soon()
            asyncio.get_running_loop().call_later(DEAD_HUB_SECONDS, self._refresh_soon)

    def _lost(self, reason: str) -> None:
        """Report the lost channel to all viewers, and reconnect while there are any."""
        self._client = None
        self._patient_until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        for viewer in self.viewers:
            viewer.pane = None
            viewer.send_message(
                {"t": "link", "state": "lost", "message": f"The connection to tmux was lost: {reason}."}
            )
        self._reset()
        if self.viewers and (self._reconnecting is None or self._reconnecting.done()):
            self._reconnecting = self._start(self._reconnect())

    async def _reconnect(self) -> None:
        """Retry until all viewers see their session again."""
        pause = FIRST_PAUSE
        while waiting := [viewer for viewer in self.viewers if viewer.pane is None]:
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311
            pause = min(LONGEST_PAUSE, pause * 2)
            try:
                await self._refresh(await self.ready())
                pause = FIRST_PAUSE  # the channel is back: look often for sessions that are still missing
            except HostError as error:
                for viewer in waiting:
                    viewer.send_message({"t": "link", "state": "lost", "message": error.reason})

    # messages from tmux

    def _handle(self, message: Message) -> None:
        if isinstance(message, Output):
            if pane := self._panes.get(message.pane):
                pane.output(message.data)
        elif isinstance(message, Notice):
            self._handle_notice(message.name, message.rest)

    def _handle_notice(self, name: str, rest: str) -> None:
        args = rest.split(" ")
        if name == "subscription-changed" and args[0] == SUBSCRIPTION and self._client:
            self._copied.changed(self._client, rest.partition(" : ")[2])
        elif name == "layout-change" and (window := self._windows.get(args[0])):
            window.layout_changed(args[2] if len(args) > 2 else args[1])
        elif name == "pane-mode-changed" and (pane := self._panes.get(args[0])):
            pane.may_be_in_mode = True
        elif name == "pause" and (pane := self._panes.get(args[0])):
            pane.paused_by_tmux()
        elif (name == "window-pane-changed" and args[0] in self._windows) or name in WINDOWS_CHANGED:
            self._refresh_soon()

    def _refresh_soon(self) -> None:
        if not self._refreshing and self._client:
            self._refreshing = True
            self._start(self._refresh_after_burst(self._client))

    async def _refresh_after_burst(self, client: ControlClient) -> None:
        await asyncio.sleep(REFRESH_SECONDS)
        self._refreshing = False
        await self._refresh(client)

    async def _refresh(self, client: ControlClient) -> None:
        """List the windows, show each viewer its window, and remove what ended sessions have left."""
        try:
            rows = await self._list(client)
        except TmuxRefused:
            return  # the channel has ended, or the next notification triggers another refresh
        for row in rows:
            if row.session == self.name and row.window != self._idle and row.is_left_over:
                client.send(f"kill-window -t {row.window}")
        for viewer in list(self.viewers):
            self._update_viewer(client, viewer, viewer.target.rows(rows))
        if dead := {row.session for row in rows if row.is_dead_hub}:
            await self._remove_dead_hubs(client, dead)

    async def _remove_dead_hubs(self, client: ControlClient, unattached: set[str]) -> None:
        """Kill the sessions of hubs of dead processes. Clients that still exit don't count as attached."""
        with contextlib.suppress(TmuxRefused):
            clients = (await client.ask("list-clients -F '#{session_name}'"))[0]
            for name in unattached.difference(line.decode() for line in clients):
                log.info("%s: removing %s, which a closed channel has left", self.host.key, name)
                client.send(f"kill-session -t ={name}")

    def _update_viewer(self, client: ControlClient, viewer: Viewer, rows: list[Row]) -> None:
        if not rows:
            if viewer.pane or asyncio.get_running_loop().time() > self._patient_until:
                self._end(viewer, "The session has ended.")
            return
        self._send_windows(viewer, rows)
        row = chosen(rows, viewer.target.window)
        if viewer.pane is None:
            viewer.send_message({"t": "link", "state": "up"})
        if viewer.pane is None or viewer.pane.id != row.pane:
            self._show(client, viewer, row)

    # windows and panes

    async def _list(self, client: ControlClient) -> list[Row]:
        return listing.parse((await client.ask(listing.COMMAND))[0])

    def _show(self, client: ControlClient, viewer: Viewer, row: Row) -> None:
        """Link the window if needed, and send the viewer a snapshot of its active pane."""
        self._hide(viewer)
        window = self._windows.get(row.window)
        if window is None:
            window = self._windows[row.window] = LinkedWindow(client, row.window, (0, 0))
            client.send(f"link-window -d -s {row.window} -t {self.name}:")
        pane = window.panes.get(row.pane)
        if pane is None:
            pane = self._panes[row.pane] = window.panes[row.pane] = Pane(client, row.pane, window)
        pane.add(viewer)
        pane.sync(viewer)

    def _hide(self, viewer: Viewer) -> None:
        """Remove the viewer from its pane, and unlink the window later if it was the last one."""
        if viewer.pane is None:
            return
        window = viewer.pane.window
        viewer.pane.remove(viewer)
        if not window.viewers:
            unlink = functools.partial(self._start_unlinking, window)
            asyncio.get_running_loop().call_later(LINGER_SECONDS, unlink)

    def _start_unlinking(self, window: LinkedWindow) -> None:
        if self._client and self._is_left(window):
            self._start(self._unlink(self._client, window))

    async def _unlink(self, client: ControlClient, window: LinkedWindow) -> None:
        """Unlink a window without viewers. Its size then follows its other tmux clients again.

        All its panes are paused first. tmux would keep what they print from now on, without limit: it waits
        until a client that has once read a pane reads on, also if the window is linked no more.
        """
        try:
            panes = (await client.ask(f"list-panes -t {window.id} -F '#{{pane_id}}'"))[0]
        except TmuxRefused:
            panes = []  # the window has gone
        if self._client is not client or not self._is_left(window):
            return
        del self._windows[window.id]
        for viewed in window.panes:
            del self._panes[viewed]
        for pane in panes:
            client.send(f"refresh-client -A '{pane.decode()}:pause'")
        client.send(f"set-option -w -u -t {window.id} window-size")
        client.send(f"unlink-window -t {self.name}:{window.id}")

    def _is_left(self, window: LinkedWindow) -> bool:
        return not window.viewers and self._windows.get(window.id) is window

    def _send_windows(self, viewer: Viewer, rows: list[Row]) -> None:
        shown = chosen(rows, viewer.target.window).window
        windows = [{"id": row.window, "name": row.name, "current": row.window == shown} for row in rows]
        tabs = {"session": rows[0].session, "windows": windows, "follows": not viewer.target.window}
        if tabs != viewer.tabs:
            viewer.tabs = tabs
            viewer.send_message({"t": "windows", **tabs})

    def _end(self, viewer: Viewer, reason: str) -> None:
        self.detach(viewer)
        viewer.send_message({"t": "exit", "reason": reason})

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def chosen(rows: list[Row], window: str) -> Row:
    """Return the row of the wanted window, or of the session's current window."""
    wanted = [row for row in rows if row.window == window]
    current = [row for row in rows if row.active]
    return (wanted or current or rows)[0]
