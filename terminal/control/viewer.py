"""One browser that looks at a pane: what is on the way to it, and whether it keeps up."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terminal.control.listing import Row

if TYPE_CHECKING:
    from terminal.control.panes import Pane

HIGH = 512 * 1024
"""Unacknowledged bytes beyond which a viewer lags: it gets nothing more, then a snapshot."""
LOW = 128 * 1024
"""Unacknowledged bytes below which it is fit again."""
FIRST_LINES = 2000
"""Lines of history in a snapshot, unless the viewer asked for more."""
MAX_LINES = 200_000

Size = tuple[int, int]
Frame = bytes | dict[str, Any]


class Pace(enum.Enum):
    """How a viewer takes what comes."""

    WAITING = "a snapshot is on its way; what comes before it is in it"
    LIVE = "gets all output"
    LAGGING = "reads too slowly: gets nothing until it has caught up"


@dataclass(frozen=True)
class ViewTarget:
    """What a viewer wants to see: a session, and one of its windows or whichever is current.

    With an owner, the session is known by that mark, whatever it is called.
    """

    session: str
    owner: str = ""
    window: str = ""

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """The windows of this session."""
        if self.owner:
            return [row for row in rows if row.owner == self.owner]
        return [row for row in rows if row.session == self.session]


class Viewer:
    """Belongs to the hub's loop; `put` hands a frame to the browser's side and never waits."""

    def __init__(self, target: ViewTarget, size: Size, put: Callable[[Frame], None], *, looks: bool) -> None:
        self.target = target
        self.size = size
        self.looks = looks
        "Just looking: its size does not matter until it types."
        self.lines = FIRST_LINES
        self.pane: Pane | None = None
        self.tabs: dict[str, Any] = {}
        self.pace = Pace.WAITING
        self._put = put
        self._sent = self._acknowledged = 0
        self._limit = HIGH

    @property
    def unread(self) -> int:
        return self._sent - self._acknowledged

    def output(self, data: bytes) -> None:
        """What the pane printed; dropped for a viewer that lags."""
        if self.pace is not Pace.LIVE:
            return
        if self._sent + len(data) > self._limit:
            self.pace = Pace.LAGGING
            return
        self._sent += len(data)
        self._put(data)

    def snapshot(self, paint: bytes, head: dict[str, Any]) -> None:
        """A full repaint. Its own size is granted beyond the limit, or a long history would never arrive."""
        self._put({"t": "snapshot", "bytes": len(paint), **head})
        self._sent += len(paint)
        self._limit = self._sent + HIGH
        self.pace = Pace.LIVE
        self._put(paint)

    def tell(self, message: dict[str, Any]) -> None:
        """A text frame."""
        self._put(message)

    def acknowledged(self, total: int) -> bool:
        """The browser has shown `total` bytes since it connected; True when it needs a snapshot now."""
        self._acknowledged = max(self._acknowledged, min(total, self._sent))
        self._limit = max(self._acknowledged + HIGH, self._limit if self._in_snapshot() else 0)
        return self.pace is Pace.LAGGING and self.unread <= LOW

    def _in_snapshot(self) -> bool:
        """Whether a snapshot larger than the usual limit is still being read."""
        return self._limit - HIGH > self._acknowledged
