"""Bounded copies of what was printed: when one is full, the oldest part goes."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 32 * 1024 * 1024
READ_BYTES = 64 * 1024
CALM_SECONDS = 0.05
"""After a small read: keys of a person come one by one, and each need not wake us."""


def main(path: str, passed_over: int) -> int:
    """Record what tmux passes on of a pane, but for its first bytes, until the pane ends.

    tmux never waits for us, so nothing here may stop reading: what can't be written is dropped.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the pane is the end of the input
    record = Record(Path(path))
    while True:
        data = os.read(0, READ_BYTES)
        if not data:
            return 0
        with suppress(OSError):  # a full disk
            record.add(data[passed_over:])
        passed_over = max(0, passed_over - len(data))
        if len(data) < READ_BYTES:
            time.sleep(CALM_SECONDS)


class Record:
    """Two files: when the newer one is half of all, it takes the place of the older. Nothing is copied."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.half = max_bytes // 2
        self._file = _open(path)
        self._size = os.fstat(self._file).st_size

    def add(self, data: bytes) -> None:
        if self._file < 0:
            return
        if self._size + len(data) > self.half and self._size:
            self._roll()
        self._size += os.write(self._file, data)

    def _roll(self) -> None:
        """A record whose folder was removed ends here, or it would grow unseen."""
        self.close()
        self._size = 0
        self.path.replace(older(self.path))
        self._file = _open(self.path)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def older(path: Path) -> Path:
    """The file of a record that has what came before."""
    return path.with_name(path.name + ".1")


def _open(path: Path) -> int:
    return os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
