"""Clones a repository: into a temporary folder first, which then gets its name if that is still free."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import IO, Deque, Dict, List

from ..files import dumps, read_json, write_atomic
from ..wire import CloneOutcome

SPEC, OUTCOME, PROGRESS, LOCK = "spec.json", "outcome.json", "progress", "lock"
SILENT_SECONDS, MAX_SECONDS = 180.0, 3600.0
"""How long git may print nothing, and how long a clone may take."""
MAX_LINES, MAX_LINE = 20, 400
PROGRESS_SECONDS = 0.3
CHUNK = 16 * 1024
TRANSPORTS = "https:http:ssh"
NO_QUESTIONS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_ALLOW_PROTOCOL": TRANSPORTS,
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "120",
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "",
}
"""With these, git fails instead of asking for a password, and uses no transport that runs a program."""
FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "DISPLAY", "WAYLAND_DISPLAY")


def main(path: str, lock: int) -> int:
    """Do what the folder's `spec.json` says. The open file `lock` tells others that this process lives."""
    os.set_inheritable(lock, False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(path)
    spec = read_json(folder / SPEC) or {}
    errors = _Clone(folder, str(spec["url"]), Path(str(spec["target"]))).run()
    outcome: CloneOutcome = {"ok": not errors, "errors": errors}
    write_atomic(folder / OUTCOME, dumps(outcome))
    return 1 if errors else 0


class _Clone:
    def __init__(self, folder: Path, url: str, target: Path) -> None:
        self.folder = folder
        self.url = url
        self.target = target
        self._lines: Deque[str] = deque(maxlen=MAX_LINES)
        self._rest = b""
        self._told = 0.0

    def run(self) -> List[str]:
        """Clone; return what git said if it failed, else an empty list."""
        try:
            beside = tempfile.mkdtemp(prefix=".aitask-clone-", dir=str(self.target.parent))
        except OSError as error:
            return [f"fatal: {error}"]
        try:
            made = Path(beside, self.target.name)
            return self._git(made) or self._put(made)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _put(self, made: Path) -> List[str]:
        """Give the clone its place. Renaming replaces nothing but an empty folder."""
        try:
            made.rename(self.target)
        except OSError as error:
            return [f"fatal: {self.target} was created meanwhile: {error.strerror}"]
        return []

    def _git(self, made: Path) -> List[str]:
        git = subprocess.Popen(
            ["git", "clone", "--progress", "--", self.url, str(made)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            problem = self._follow(git)
        finally:
            if git.poll() is None:
                os.killpg(git.pid, signal.SIGKILL)
        if problem:
            return [problem]
        return [*self._lines, f"git ended with status {git.returncode}"] if git.wait() else []

    def _follow(self, git: "subprocess.Popen[bytes]") -> str:
        """Record what git prints until it ends. Returns why it has to be stopped, if so."""
        assert git.stderr is not None
        end = time.monotonic() + MAX_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(git.stderr, selectors.EVENT_READ)
            while time.monotonic() < end:
                if not selector.select(SILENT_SECONDS):
                    return f"fatal: git printed nothing for {SILENT_SECONDS:.0f} s"
                if not self._read(git.stderr):
                    git.wait(SILENT_SECONDS)
                    return ""
        return f"fatal: the clone took longer than {MAX_SECONDS / 60:.0f} minutes"

    def _read(self, pipe: IO[bytes]) -> bool:
        chunk = os.read(pipe.fileno(), CHUNK)
        *lines, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[-MAX_LINE:]
        lines = [line for line in lines if line.strip()]
        self._lines.extend(line[:MAX_LINE].decode("utf-8", "replace").strip() for line in lines)
        if lines and time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            write_atomic(self.folder / PROGRESS, self._lines[-1].encode())
        return bool(chunk)


def _environment() -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, **NO_QUESTIONS}
