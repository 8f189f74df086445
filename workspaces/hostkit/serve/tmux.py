"""`recover_tmux`: makes the app's tmux server reachable again if its socket was removed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import List

from .. import processes
from ..folder import tmux_socket
from ..wire import RecoveredTmux
from .requests import Request

SERVER = "tmux: server"
RECOVER_SECONDS = 2.0
POLL_SECONDS = 0.02


def recover_tmux(_params: object, request: Request) -> RecoveredTmux:
    """Let a server without a socket make it again, which is what SIGUSR1 means to tmux.

    Without that, a second server would start, and the sessions of the first could not be reached.
    """
    socket = tmux_socket()
    if socket.exists():
        return {"recovered": False}
    found = servers_of(socket)
    processes.send(found, signal.SIGUSR1)
    deadline = time.monotonic() + RECOVER_SECONDS
    while found and not socket.exists() and time.monotonic() < deadline and not request.cancelled:
        time.sleep(POLL_SECONDS)
    return {"recovered": socket.exists()}


def servers_of(socket: Path) -> List[int]:
    """Return this user's tmux servers with this socket."""
    return [pid for pid in processes.all_pids() if _is_server_of(pid, os.fsencode(socket))]


def _is_server_of(pid: int, socket: bytes) -> bool:
    folder = Path(f"/proc/{pid}")
    try:
        return (
            folder.stat().st_uid == os.getuid()
            and (folder / "comm").read_text().strip() == SERVER
            and socket in (folder / "cmdline").read_bytes().split(b"\0")
        )
    except OSError:
        return False
