"""The check of a merge: one command whose output is shown in its window and recorded.

Its folder is like a run's: spec.json has the command, guard.json the process that runs it, terminal.raw the
last part of its output, and outcome.json (written last) its exit status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Dict, Optional, cast

from .. import environment, processes
from ..files import dumps, read_json, write_atomic
from ..folder import RunFolder
from .window import WindowServer, hung_up_by_person

if TYPE_CHECKING:
    from ..wire import CheckOutcome, CheckSpec

KEPT_OUTPUT = 1024 * 1024
"""Bytes of output that are kept. The file has at most twice as many."""
CHUNK = 64 * 1024
IDLE_SECONDS = 5.0
"""How long the process waits for another check, because starting Python again would be slower."""
POLL_SECONDS = 0.01
GRACE_SECONDS = 1.0
"""How long to wait for output of processes that the command left running."""


def main(path: str) -> int:
    processes.become_subreaper()
    current: Optional[str] = path
    status = 0
    while current:
        status = run_one(RunFolder(current))
        if status:
            break
        current = wait_for_next(Path(current))
    return status


def run_one(folder: RunFolder) -> int:
    """Run one check. Return 0, or 2 if there is none, 3 if already claimed, 4 if a signal stopped it."""
    spec = cast("Optional[CheckSpec]", read_json(folder.spec))
    if spec is None:
        print(f"There is no check in {folder.path}.", file=sys.stderr)
        return 2
    if not folder.claim():
        return 3
    check = CheckCommand(folder, spec)
    outcome = check.run()
    write_atomic(folder.outcome, dumps(outcome))
    return 4 if check.stop_signal else 0


def wait_for_next(folder: Path) -> Optional[str]:
    """Return the folder of the next check, which the file `next` names, or None after IDLE_SECONDS."""
    deadline = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < deadline:
        try:
            return (folder / "next").read_text("utf-8", "surrogateescape").strip()
        except OSError:
            time.sleep(POLL_SECONDS)
    return None


class CheckCommand:
    def __init__(self, folder: RunFolder, spec: CheckSpec) -> None:
        self.folder = folder
        self.spec = spec
        self.stop_signal = 0
        self.server = WindowServer.current()
        self.process: "Optional[subprocess.Popen[bytes]]" = None

    def run(self) -> CheckOutcome:
        """Run the command, then kill the processes that it left."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        began = time.monotonic()
        try:
            self.process = self._start()
        except OSError as error:
            return {"status": 127, "seconds": 0, "interrupted": False, "error": str(error)}
        printer = Printer(self.process.stdout, self.folder.terminal)
        if self.stop_signal:
            self.process.kill()
        status = self.process.wait()
        printer.join(0.05)
        swept = processes.sweep()
        printer.join(GRACE_SECONDS)
        seconds = round(time.monotonic() - began, 3)
        return {"status": status, "seconds": seconds, "interrupted": bool(self.stop_signal), "swept": swept}

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["sh", "-c", str(self.spec["command"])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=str(self.spec["worktree"]),
            env=self._variables(),
        )

    def _variables(self) -> Dict[str, str]:
        result = environment.of_spec(self.spec, folder=self.folder.path)
        result[processes.MARKER] = os.fspath(self.folder.path)
        return result

    def _stop(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP and not hung_up_by_person(self.server):
            return  # the tmux server has ended: the check goes on without a window
        self.stop_signal = number
        if self.process:
            self.process.kill()


class Printer(threading.Thread):
    """Copies output to the window, and its last part to a file."""

    def __init__(self, source: "Optional[IO[bytes]]", kept: Path) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.path = kept
        self.size = 0
        self.file = os.fdopen(
            os.open(str(kept), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0
        )
        self.start()

    def run(self) -> None:
        while self.source:
            chunk = os.read(self.source.fileno(), CHUNK)
            if not chunk:
                return
            self._keep(chunk)
            with suppress(OSError):  # the window was closed; keep recording
                os.write(1, chunk)

    def _keep(self, chunk: bytes) -> None:
        if self.size + len(chunk) > 2 * KEPT_OUTPUT:
            last = self.path.read_bytes()[-KEPT_OUTPUT:]
            self.file.seek(0)
            self.file.truncate()
            self.file.write(last)
            self.size = len(last)
        self.file.write(chunk)
        self.size += len(chunk)
