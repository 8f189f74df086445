"""The tmux server of a run's window: tells a window that a person has closed from a server that has ended."""

from __future__ import annotations

import os
import subprocess
import time
from typing import NamedTuple, Optional

from .. import processes
from ..wire import Json

DECIDE_SECONDS = 5.0
"""How long a server may neither answer nor be gone before it counts as ended."""
PROBE_SECONDS = 2.0
POLL_SECONDS = 0.1


class WindowServer(NamedTuple):
    """A tmux server, as it was when the window was opened."""

    socket: str
    process: Json

    @classmethod
    def current(cls) -> "Optional[WindowServer]":
        """Return the server of this process's window, from $TMUX: `socket,pid,session`. None outside tmux."""
        socket, _, rest = os.environ.get("TMUX", "").rpartition(",")[0].rpartition(",")
        return cls(socket, processes.identity(int(rest))) if socket and rest.isdigit() else None

    def has_ended(self) -> bool:
        """Return whether a hangup came from the end of the server. If not, a person has closed the window.

        A server that is about to exit no longer answers, but its process may take a moment to end.
        """
        deadline = time.monotonic() + DECIDE_SECONDS
        while processes.is_alive(self.process) and time.monotonic() < deadline:
            if self._answers():
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _answers(self) -> bool:
        command = ["tmux", "-S", self.socket, "show-options", "-s", "exit-empty"]
        try:
            done = subprocess.run(
                command, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL, capture_output=True
            )
            return done.returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def hung_up_by_person(server: Optional[WindowServer]) -> bool:
    """Return whether a person has closed the window, which cancels its run. Without tmux, always."""
    return server is None or not server.has_ended()
