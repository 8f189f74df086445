"""One command with an exit status, shown in its window and kept: the check of a merge.

The folder is like a run's: spec.json says what to do, guard.json who does it, terminal.raw holds the last
part of what the command printed, outcome.json (written last) how it ended.
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

if TYPE_CHECKING:
    from ..wire import CheckOutcome, CheckSpec

KEPT_OUTPUT = 1024 * 1024
"""Bytes of output that are kept at least; at most twice as many lie on the disk."""
CHUNK = 64 * 1024
IDLE_SECONDS = 5.0
"""How long a process whose check has ended waits for the next one: it would take longer to start anew."""
POLL_SECONDS = 0.01
GRACE_SECONDS = 1.0
"""How long output is still awaited from what the command left running."""


def main(path: str) -> int:
    processes.become_subreaper()
    following: Optional[str] = path
    status = 0
    while following:
        status = run_one(RunFolder(following))
        if status:
            break
        following = wait_for_next(Path(following))
    return status


def run_one(folder: RunFolder) -> int:
    """One check to its end; 0, or why it was not run."""
    spec = cast("Optional[CheckSpec]", read_json(folder.spec))
    if spec is None:
        print(f"There is no check in {folder.path}.", file=sys.stderr)
        return 2
    if not folder.claim():
        return 3
    check = CheckCommand(folder, spec)
    outcome = check.run()
    write_atomic(folder.outcome, dumps(outcome))
    return 4 if check.told_to_stop else 0


def wait_for_next(folder: Path) -> Optional[str]:
    """The folder of another check that this process is to run, named in `next`; None when none comes soon."""
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
        self.told_to_stop = 0
        self.process: "Optional[subprocess.Popen[bytes]]" = None

    def run(self) -> CheckOutcome:
        """Run the command to its end, and end what it left behind."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        began = time.monotonic()
        try:
            self.process = self._start()
        except OSError as error:
            return {"status": 127, "seconds": 0, "interrupted": False, "error": str(error)}
        printer = Printer(self.process.stdout, self.folder.terminal)
        if self.told_to_stop:
            self.process.kill()
        status = self.process.wait()
        printer.join(0.05)
        swept = processes.sweep()
        printer.join(GRACE_SECONDS)
        seconds = round(time.monotonic() - began, 3)
        return {"status": status, "seconds": seconds, "interrupted": bool(self.told_to_stop), "swept": swept}

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
        given = {name: str(value) for name, value in (self.spec.get("environment") or {}).items()}
        result = environment.variables(given, self.spec.get("path"))
        result[processes.MARKER] = os.fspath(self.folder.path)
        return result

    def _stop(self, number: int, _frame: object) -> None:
        self.told_to_stop = number
        if self.process:
            self.process.kill()


class Printer(threading.Thread):
    """Passes output on to the window, and keeps the last part of it in a file."""

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
            with suppress(OSError):  # the window was closed; the file goes on
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
