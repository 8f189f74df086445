"""A browser that shows a pane: counts the bytes on the way to it and notices when it lags."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terminal.control.listing import Row

if TYPE_CHECKING:
    from terminal.control.panes import Pane

CANCEL = b"\x18"
"""Ends a sequence whose rest was skipped: half of what a program copies must not be taken for all of it."""
HIGH = 512 * 1024
"""Unacknowledged bytes above which a viewer lags: it gets no more output, and a snapshot later."""
LOW = 128 * 1024
"""Unacknowledged bytes below which a lagging viewer gets its snapshot."""
FIRST_LINES = 2000
"""Lines of history in a snapshot, unless the viewer requests more."""
MAX_LINES = 200_000

Size = tuple[int, int]
Frame = bytes | dict[str, Any]


class Pace(enum.Enum):
    """Whether a viewer gets output."""

    WAITING = "waits for a snapshot, which includes all output before it"
    LIVE = "gets all output"
    LAGGING = "reads too slowly, and gets nothing until it has caught up"


@dataclass(frozen=True)
class ViewTarget:
    """What a viewer shows: a session, and either one of its windows or the current one (`window` is empty).

    If `owner` is set, it identifies the session instead of the name.
    """

    session: str
    owner: str = ""
    window: str = ""

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Return the windows of this session."""
        if self.owner:
            return [row for row in rows if row.owner == self.owner]
        return [row for row in rows if row.session == self.session]


class Viewer:
    """A viewer; use it on the hub's event loop only. `put` passes a frame to the socket without waiting."""

    def __init__(
        self,
        target: ViewTarget,
        size: Size,
        put: Callable[[Frame], None],
        *,
        passive: bool,
        lines: int = 0,
    ) -> None:
        self.target = target
        self.size = size
        self.passive = passive
        "Whether it only watches: its size does not count until it types."
        self.lines = FIRST_LINES
        self.want(lines)
        self.pane: Pane | None = None
        self.tabs: dict[str, Any] = {}
        self.pace = Pace.WAITING
        self._put = put
        self._sent = self._acknowledged = 0
        self._limit = HIGH

    @property
    def unread(self) -> int:
        return self._sent - self._acknowledged

    def want(self, lines: int) -> None:
        """Let snapshots have this many lines of history, unless they have more already."""
        self.lines = max(self.lines, min(lines, MAX_LINES))

    def output(self, data: bytes) -> None:
        """Send output of the pane, unless the viewer lags or waits for a snapshot."""
        if self.pace is not Pace.LIVE:
            return
        if self._sent + len(data) > self._limit:
            self.pace = Pace.LAGGING
            return
        self._sent += len(data)
        self._put(data)

    def snapshot(self, paint: bytes, head: dict[str, Any]) -> None:
        """Send a full repaint. It does not count against the limit, or a long history could never be sent."""
        paint = CANCEL + paint
        self._put({"t": "snapshot", "bytes": len(paint), **head})
        self._sent += len(paint)
        self._limit = self._sent + HIGH
        self.pace = Pace.LIVE
        self._put(paint)

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a text frame."""
        self._put(message)

    def acknowledged(self, total: int) -> bool:
        """Note that the browser has shown `total` bytes; return whether it needs a snapshot now."""
        self._acknowledged = max(self._acknowledged, min(total, self._sent))
        self._limit = max(self._acknowledged + HIGH, self._limit if self._in_snapshot() else 0)
        return self.pace is Pace.LAGGING and self.unread <= LOW

    def _in_snapshot(self) -> bool:
        """Whether a snapshot larger than the usual limit is still being read."""
        return self._limit - HIGH > self._acknowledged
