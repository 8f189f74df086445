"""The windows of a tmux server, parsed from the output of one command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEPARATOR = ":"
"""Session names can't contain it; of the other fields only the last two can."""
FIELDS = (
    "session_name",
    "window_id",
    "window_active",
    "pane_id",
    "window_linked_sessions_list",
    "window_activity",
    "session_attached",
    "session_created",
    "window_panes",
    "@aitask",
    "window_name",
    "pane_current_command",
)
COMMAND = "list-windows -a -F '" + SEPARATOR.join(f"#{{{name}}}" for name in FIELDS) + "'"
HUB = "aitask-hub-"
"""Prefix of the session names of all hubs, also those of other processes."""


@dataclass(frozen=True)
class Row:
    """A window in one of the sessions that it is linked to."""

    session: str
    window: str
    active: bool
    pane: str
    "Id of its active pane."
    linked: tuple[str, ...]
    activity: int
    "Unix time of the last output."
    attached: int
    "Number of clients of the session."
    owner: str
    name: str
    created: int = 0
    "Unix time at which the session was created."
    panes: int = 1
    command: str = ""
    "Name of the program in the foreground of the active pane."

    @property
    def is_dead_hub(self) -> bool:
        """Whether its session is a hub's whose channel has ended, or is ending."""
        return self.session.startswith(HUB) and not self.attached

    @property
    def is_left_over(self) -> bool:
        """Whether its own session has ended, so that only hubs keep it."""
        return all(name.startswith(HUB) for name in self.linked)


def parse(lines: Iterable[bytes]) -> list[Row]:
    """Return a row per line, ignoring malformed lines."""
    split = (line.decode("utf-8", "replace").split(SEPARATOR, len(FIELDS) - 2) for line in lines)
    return [_row(parts) for parts in split if len(parts) == len(FIELDS) - 1]


def _row(parts: list[str]) -> Row:
    *known, owner, last = parts
    session, window, active, pane, linked, activity, attached, created, panes = known
    name, _, command = last.rpartition(SEPARATOR)
    return Row(
        session=session,
        window=window,
        active=active == "1",
        pane=pane,
        linked=tuple(linked.split(",")),
        activity=int(activity or 0),
        attached=int(attached or 0),
        owner=owner,
        name=name,
        created=int(created or 0),
        panes=int(panes or 1),
        command=command,
    )
