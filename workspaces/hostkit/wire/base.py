"""Names and constants that several parts use, and the connection."""

from __future__ import annotations

from typing import Any, Dict, Literal, Tuple, TypedDict

Json = Dict[str, Any]
"""An object whose structure a CLI, a model or a tool defines."""
PermissionModeName = Literal["plan", "ask", "edits", "full"]
RequestKind = Literal["approval", "question", "plan", "form", "link", "unknown"]
EndState = Literal["succeeded", "failed", "cancelled", "lost"]
FailureKind = Literal["not_found", "permission", "timeout", "exists", "bad_request", "failed"]
PROTOCOL = 1
"""Version of the request protocol, of spec.json and of the events."""
PERMISSION_MODES: Tuple[PermissionModeName, ...] = ("plan", "ask", "edits", "full")
"""From the least to the most that an agent may do without asking.

Only read, until a plan is approved; ask before changes; edit files, but ask before commands; do everything.
"""


class Hello(TypedDict):
    """The first line of `serve`, as {"hello": …}."""

    protocol: int
    hostkit: str
    "File name of the zipapp, which contains a hash of its content."
    python: str
    executable: str
    "Path of the Python that runs it."
    user: str
    uid: int
    hostname: str
    home: str
    state_dir: str
    "Folder of all hostkit state on this host."
    tmux_socket: str
    "Where the app's own tmux server listens."
    pid: int
    platform: str
    boot_id: str
    time: float
    shell: str
    "The user's login shell."


class FailureBody(TypedDict):
    """Why a request failed, as {"id", "error": …}."""

    kind: FailureKind
    message: str
