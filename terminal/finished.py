"""Which sessions are finished: the agent has ended, and only the idle shell that its run leaves is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aitask.lib.errors import Refused
from tasks.models import Run, Task
from terminal.control import gateway
from terminal.control.client import TmuxRefused
from terminal.control.listing import Row
from terminal.places import Place
from workspaces.hosts import HostError
from workspaces.hosts.hub import hub as hosts_hub

SHELLS = {"ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "nu", "pwsh", "sh", "tcsh", "zsh"}
RUN_WINDOW = re.compile(r"run-\d+")
ENDED = {Run.State.SUCCEEDED, Run.State.FAILED, Run.State.CANCELLED, Run.State.LOST}


def is_finished(task: Task, rows: Sequence[Row]) -> bool:
    """Return whether closing the task's session, with these windows, ends nothing that anyone uses.

    A window that a user has opened, a program that runs, or a client in a terminal keeps the session.
    """
    run = task.last_run
    if run is None or run.state not in ENDED or not rows:
        return False
    return all(
        RUN_WINDOW.fullmatch(row.name) and row.panes == 1 and row.command in SHELLS and not row.attached
        for row in rows
    )


def still_finished(places: Iterable[Place]) -> list[Place]:
    """Return those of the places whose sessions are finished now, by asking their hosts. Raises Refused."""
    windows: dict[str, list[Row]] = {}
    found = []
    for place in places:
        key = place.address.key
        if key not in windows:
            windows[key] = _windows(place)
        if place.task and is_finished(place.task, place.target.rows(windows[key])):
            found.append(place)
    return found


def _windows(place: Place) -> list[Row]:
    try:
        return hosts_hub().run(gateway.hub_of(place.address).sessions())
    except TmuxRefused as error:
        raise Refused(f"tmux on {place.host_label} refused: {error}") from error
    except HostError:
        return []  # one host that can't be reached does not keep the others
