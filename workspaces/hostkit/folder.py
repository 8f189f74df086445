"""The folder of a run, and its owner."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Optional, cast

from . import processes
from .control_address import MAX_BYTES
from .files import dumps, make_private_folder, read_json, write_atomic
from .reserve import reserve

if TYPE_CHECKING:
    from .wire import Json, RunResult, RunSpec


def state_dir() -> Path:
    """Return the folder of all hostkit state on this host."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "aitask"


def tmux_socket() -> Path:
    """Return the socket of the app's own tmux server, and make its folder.

    The user's server has another one: neither can end the other. If the path of the state folder is too long
    for a UNIX socket, it is beside the user's own.
    """
    path = state_dir() / "tmux.sock"
    if len(os.fsencode(path)) > MAX_BYTES:
        base = Path(os.environ.get("TMUX_TMPDIR") or tempfile.gettempdir())
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        path = base / f"tmux-{os.getuid()}" / f"aitask-{digest}"
    make_private_folder(path.parent)
    return path


class RunFolder:
    """The files of a run. Only the guard that has claimed the folder writes to it."""

    def __init__(self, path: "str | Path") -> None:
        self.path = Path(path)
        self.spec = self.path / "spec.json"
        self.prompt = self.path / "prompt.md"
        self.events = self.path / "events.jsonl"
        self.raw = self.path / "raw.jsonl"
        self.control = self.path / "control"
        self.guard = self.path / "guard.json"
        self.result = self.path / "result.json"
        self.outcome = self.path / "outcome.json"
        self.terminal = self.path / "terminal.raw"
        self.history = self.path / "history.txt"
        self.cancel = self.path / "cancel"
        self.log = self.path / "runner.log"

    @property
    def started(self) -> bool:
        return self.guard.exists()

    @property
    def cancelled(self) -> bool:
        return self.cancel.exists()

    def claim(self) -> bool:
        """Make this process the guard of the run. Return False if it has had a guard before."""
        try:
            write_atomic(self.guard, dumps(processes.identity(os.getpid())), exclusive=True)
        except FileExistsError:
            return False
        reserve(self.result, self.outcome)
        return True

    def guard_pid(self) -> Optional[int]:
        """Return the pid of the guard, or None if it is not alive.

        Start time and boot id are compared, because pids are reused.
        """
        identity = read_json(self.guard)
        if identity and processes.is_alive(identity):
            return int(identity["pid"])
        return None

    def read_spec(self) -> Optional[RunSpec]:
        """Return spec.json, or None if there is none."""
        return cast("Optional[RunSpec]", read_json(self.spec))

    def read_result(self) -> Optional[RunResult]:
        """Return the runner's result, or None if it was killed before it wrote one."""
        result = read_json(self.result)
        return cast("RunResult", result) if result and "state" in result else None

    def read_outcome(self) -> Optional[Json]:
        return read_json(self.outcome)

    def mark_cancelled(self, reason: str) -> None:
        write_atomic(self.cancel, reason.encode("utf-8", "replace"))

    def cancelled_at(self) -> float:
        """Return when the run was cancelled, in seconds since the epoch; infinity if it was not."""
        try:
            return self.cancel.stat().st_mtime
        except OSError:
            return math.inf

    def cancel_reason(self) -> str:
        try:
            return self.cancel.read_text("utf-8", "replace").strip()
        except OSError:
            return ""
