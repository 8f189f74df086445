"""The end of a run whose guard and runner have died: its work is committed, and its outcome written here."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import List

from .. import processes
from ..files import read_json
from ..folder import RunFolder
from ..outcome import Outcome, outcome_of
from ..run.finish import finish

RUNNER_SECONDS = 60.0
"""How long a runner may take to end the run after its guard has died. On a full disk it waits for room."""
POLL_SECONDS = 0.1
LEFT_NO_OUTCOME = "The run ended on its host without an outcome: "


class Ender(threading.Thread):
    """Ends one run, without holding up the others. `failure` says why it could not."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.failure = ""
        self.start()

    def run(self) -> None:
        try:
            end_dead(self.folder)
        except Exception as error:
            self.failure = f"the run's guard died, and its outcome could not be written: {error}"


def end_dead(folder: RunFolder) -> None:
    """Kill what is left of the run; commit its work and write its outcome if its folder still exists."""
    _await_runner(folder)
    swept = processes.sweep_marked(os.fspath(folder.path))
    if folder.path.is_dir() and folder.guard_pid() is None:
        outcome = outcome_of(folder.read_result()) or _of_dead(folder)
        finish(folder, outcome, "serve", swept)


def _await_runner(folder: RunFolder) -> None:
    """Wait for a runner that ends the run by itself after its guard has died; kill it if it does not."""
    deadline = time.monotonic() + RUNNER_SECONDS
    while True:
        runners = _runners(folder)
        if not runners or folder.guard_pid() is not None or folder.outcome.exists():
            return
        if time.monotonic() > deadline:
            processes.send(runners, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _runners(folder: RunFolder) -> List[int]:
    """Return the processes of `hostkit run DIR`."""
    words = b"\0run\0" + os.fsencode(folder.path)
    found = []
    for pid in processes.all_pids():
        with suppress(OSError):
            known = processes.stat(pid)
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if line.rstrip(b"\0").endswith(words) and known and known.state not in "ZX":
                found.append(pid)
    return found


def _of_dead(folder: RunFolder) -> Outcome:
    if folder.cancelled:
        return Outcome("cancelled", "cancelled", folder.cancel_reason() or "Cancelled")
    booted = (read_json(folder.guard) or {}).get("boot_id")
    if booted and booted != processes.boot_id():
        return Outcome("lost", "lost", f"{LEFT_NO_OUTCOME}the host was restarted.")
    return Outcome("lost", "lost", f"{LEFT_NO_OUTCOME}its guard and its runner were killed.")
