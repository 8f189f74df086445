"""The viewed panes and windows: distribute the output, set the size, pause panes that are too fast."""

from __future__ import annotations

import asyncio
import re
import secrets

from terminal.control import protocol, snapshot
from terminal.control.client import ControlClient, Replies
from terminal.control.modes import Modes, Names
from terminal.control.viewer import HIGH, Pace, Size, Viewer

REPAINT_SECONDS = 0.06
"""Delay of a repaint after the last change of size; dragging a window edge causes many changes."""
FLOOD_BYTES = 4 << 20
"""Bytes of continuous output after which parts are skipped. Control mode would slow the program down."""
FLOOD_PART = 256 * 1024
"""Bytes that are shown between two skips."""
SKIP_SECONDS, CALM_SECONDS = 0.25, 0.6
"""Length of a skip; length of a break in the output after which it no longer counts as continuous."""


class LinkedWindow:
    """A window that is linked into the hub session. Its size is that of the viewer who typed last."""

    def __init__(self, client: ControlClient, window: str, size: Size) -> None:
        self.id = window
        self.size = size
        self.panes: dict[str, Pane] = {}
        self._client = client

    @property
    def viewers(self) -> list[Viewer]:
        return [viewer for pane in self.panes.values() for viewer in pane.viewers]

    def claim(self, size: Size) -> None:
        """Resize the window."""
        if size != self.size:
            self.size = size
            self._client.send(f"resize-window -t {self.id} -x {size[0]} -y {size[1]}")

    def layout_changed(self, layout: str) -> None:
        """Read the sizes of the window and its panes from a tmux layout."""
        found = re.match(r"[0-9a-f]+,(\d+)x(\d+)", layout)
        if found:
            self.size = int(found[1]), int(found[2])
        for pane in self.panes.values():
            size = pane_size(layout, pane.id)
            if size and size != pane.size:
                pane.resized(size)


def pane_size(layout: str, pane: str) -> Size | None:
    """Return the size of a pane in a layout such as `b25d,80x24,0,0,1`; None if the pane is not in it."""
    found = re.search(rf"(\d+)x(\d+),\d+,\d+,{pane[1:]}(?![\dx])", layout)
    return (int(found[1]), int(found[2])) if found else None


class Pane:
    """A pane and its viewers.

    Its output is always read. If no viewer can keep up, or there are no viewers, the pane is paused in tmux.
    """

    def __init__(self, client: ControlClient, pane: str, window: LinkedWindow) -> None:
        self.id = pane
        self.window = window
        self.size: Size = (0, 0)
        self.viewers: list[Viewer] = []
        self.modes = Modes()
        self._names = Names()
        self.may_be_in_mode = False
        "Whether the pane may be in copy mode, which would take the input."
        self._client = client
        self._paused = True
        "It may be: it is paused when its window is unlinked. The first snapshot continues it."
        self._unseen = 0
        "Bytes of output since the last viewer left."
        self._repaint: asyncio.TimerHandle | None = None
        self._skip: asyncio.TimerHandle | None = None
        self._flood, self._last_output = 0, 0.0

    def output(self, data: bytes) -> None:
        """Distribute output to the viewers, and pause the pane if it is too fast."""
        data = self._names.hidden(data)
        self.modes.see(data)
        for viewer in self.viewers:
            viewer.output(data)
        if self.viewers:
            self._unseen = 0
            if all(viewer.pace is Pace.LAGGING for viewer in self.viewers):
                self._pause()
            elif self._is_flood(len(data)):
                self._skip_a_part()
        else:
            self._unseen += len(data)
            if self._unseen > HIGH:
                self._pause()

    def _is_flood(self, size: int) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._last_output > CALM_SECONDS:
            self._flood = 0
        self._last_output = now
        self._flood += size
        return self._flood > FLOOD_BYTES

    def _skip_a_part(self) -> None:
        """Pause the output for a moment, so that the program runs at full speed, then send a snapshot."""
        if not self._paused:
            self._flood = FLOOD_BYTES - FLOOD_PART
            self._pause()
            self._skip = asyncio.get_running_loop().call_later(SKIP_SECONDS, self._end_skip)

    def _end_skip(self) -> None:
        if self._skip:
            self._skip.cancel()
            self._skip = None
            self._sync_live()

    def add(self, viewer: Viewer) -> None:
        """Add a viewer. The only viewer of the window sets its size, unless it is passive."""
        viewer.pane = self
        self.viewers.append(viewer)
        viewer.send_message({"t": "role", "answers": len(self.viewers) == 1})
        if not viewer.passive and len(self.window.viewers) == 1:
            self.window.claim(viewer.size)

    def remove(self, viewer: Viewer) -> None:
        viewer.pane = None
        self.viewers.remove(viewer)
        for first in self.viewers[:1]:
            first.send_message({"t": "role", "answers": True})

    def lead(self, viewer: Viewer) -> None:
        """Make the viewer the leader: its terminal answers the queries of programs that tmux does not answer.

        The viewer that typed last is the leader, because its browser is certainly connected.
        """
        if self.viewers[0] is not viewer:
            self.viewers[0].send_message({"t": "role", "answers": False})
            self.viewers.remove(viewer)
            self.viewers.insert(0, viewer)
            viewer.send_message({"t": "role", "answers": True})

    def sync(self, *viewers: Viewer) -> None:
        """Send these viewers a snapshot, followed by the output after it."""
        for viewer in viewers:
            viewer.pace = Pace.WAITING
        lines = max(viewer.lines for viewer in viewers)
        line, extra = snapshot.request(self.id, lines), 0
        if self._paused:
            self._paused, extra = False, 1
            line = f"refresh-client -A '{self.id}:continue' ; {line}"

        def done(replies: Replies, error: str) -> None:
            if not error:
                self._show(replies[extra:], [viewer for viewer in viewers if viewer.pane is self], lines)

        self._client.send(line, snapshot.REPLIES + extra, done)

    def paused_by_tmux(self) -> None:
        """Replace lost output by a snapshot: tmux has paused the pane because the channel was too slow."""
        if not self._paused:
            self._paused = True
            if self.viewers:
                self.sync(*self.viewers)

    def resized(self, size: Size) -> None:
        """Send the new size, and one snapshot after the last of several changes.

        Without it, the browser's terminal could differ in which lines a larger screen restores from history.
        """
        self.size = size
        for viewer in self.viewers:
            viewer.send_message({"t": "size", "cols": size[0], "rows": size[1]})
        if any(viewer.pace is Pace.LIVE for viewer in self.viewers):
            if self._repaint:
                self._repaint.cancel()
            self._repaint = asyncio.get_running_loop().call_later(REPAINT_SECONDS, self._sync_live)

    def _sync_live(self) -> None:
        live = [viewer for viewer in self.viewers if viewer.pace is Pace.LIVE]
        if live:
            self.sync(*live)

    def typed(self, data: bytes) -> None:
        """Send key presses to the program in the pane."""
        self._end_skip()
        self._leave_mode()
        if len(data) <= protocol.KEYS_AT_ONCE:
            self._client.send(protocol.keys(self.id, data))
        else:
            self._paste(data, bracketed=False)

    def pasted(self, text: str) -> None:
        """Send a pasted text to the program, in brackets if the program has enabled bracketed paste."""
        self._leave_mode()
        self._paste(protocol.clean_paste(text), bracketed=True)

    def new_line(self) -> None:
        """Send Shift+Enter. tmux decides by the program in the pane, so that no key press overtakes it."""
        self._end_skip()
        self._leave_mode()
        self._client.send(protocol.new_line(self.id), 2)

    def _paste(self, data: bytes, *, bracketed: bool) -> None:
        # Each paste has its own buffer: a lost connection may leave an incomplete one behind.
        buffer = f"aitask-{secrets.token_hex(8)}"
        for command in protocol.paste(self.id, data, buffer=buffer, bracketed=bracketed):
            self._client.send(command)

    def _leave_mode(self) -> None:
        """Leave copy mode or any other tmux mode, such as its lists."""
        if self.may_be_in_mode:
            self.may_be_in_mode = False
            self._client.send(f"copy-mode -q -t {self.id}")

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._client.send(f"refresh-client -A '{self.id}:pause'")

    def _show(self, replies: Replies, viewers: list[Viewer], lines: int) -> None:
        """Send a snapshot with up to `lines` lines of history to the viewers."""
        try:
            taken = snapshot.Snapshot.of(replies)
        except ValueError:
            return  # the window was closed; a notification of its own reports that
        self.size = taken.size
        self.may_be_in_mode = taken.is_on("pane_in_mode")
        paint = taken.paint(self.modes.sequences)
        history = taken.number("history_size")
        head = {
            "cols": self.size[0],
            "rows": self.size[1],
            "alt": taken.is_on("alternate_on"),
            "lines": min(lines, history),
            "history": history,
        }
        for viewer in viewers:
            viewer.snapshot(paint, head)
