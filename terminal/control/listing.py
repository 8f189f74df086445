"""All windows of a tmux server, as one command tells them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEPARATOR = ":"
"""Can be in no session's name, and of the rest only in the last."""
FIELDS = (
    "session_name",
    "window_id",
    "window_active",
    "pane_id",
    "window_linked_sessions_list",
    "window_activity",
    "@aitask",
    "window_name",
)
COMMAND = "list-windows -a -F '" + SEPARATOR.join(f"#{{{name}}}" for name in FIELDS) + "'"
HUB = "aitask-hub-"
"""How the names of hub sessions begin, whoever made them."""


@dataclass(frozen=True)
class Row:
    """A window in one of the sessions that it is linked into."""

    session: str
    window: str
    active: bool
    pane: str
    "Its active pane."
    linked: tuple[str, ...]
    activity: int
    "When anything was last printed in it (epoch seconds)."
    owner: str
    name: str

    @property
    def is_left_over(self) -> bool:
        """Whether its own session was killed and only hubs hold it."""
        return all(name.startswith(HUB) for name in self.linked)


def parse(lines: Iterable[bytes]) -> list[Row]:
    """The rows; lines that are none are passed over."""
    words = (line.decode("utf-8", "replace").split(SEPARATOR, len(FIELDS) - 1) for line in lines)
    return [_row(parts) for parts in words if len(parts) == len(FIELDS)]


def _row(parts: list[str]) -> Row:
    session, window, active, pane, linked, activity, owner, name = parts
    return Row(
        session=session,
        window=window,
        active=active == "1",
        pane=pane,
        linked=tuple(linked.split(",")),
        activity=int(activity or 0),
        owner=owner,
        name=name,
    )
