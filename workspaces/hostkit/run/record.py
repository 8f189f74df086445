"""Size-limited records of terminal output. When a record is full, its oldest part is removed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from ..reserve import is_full

MAX_BYTES = 32 * 1024 * 1024
READ_BYTES = 64 * 1024
CALM_SECONDS = 0.05
"""Pause after a small read, so that typing does not wake this process for each key."""


def main(path: str, skipped: int) -> int:
    """Record a pane's output from standard input until it ends, without the first `skipped` bytes.

    tmux does not wait for readers, so reading must not stop: output that can't be written is discarded.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the pane is the end of the input
    record = Record(Path(path))
    while True:
        data = os.read(0, READ_BYTES)
        if not data:
            return 0
        with suppress(OSError):
            record.add(data[skipped:])
        skipped = max(0, skipped - len(data))
        if len(data) < READ_BYTES:
            time.sleep(CALM_SECONDS)


class Record:
    """A record in two files. When the newer one has half of `max_bytes`, it replaces the older one."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.half = max_bytes // 2
        self._file = _open(path)
        self._size = os.fstat(self._file).st_size

    def add(self, data: bytes) -> None:
        """Append output; on a full disk it is discarded. Raises OSError for other failures."""
        if self._file < 0:
            return
        try:
            if self._size + len(data) > self.half and self._size:
                self._roll()
            self._size += os.write(self._file, data)
        except OSError as error:
            if not is_full(error):
                raise

    def _roll(self) -> None:
        """Replace the older file. Raises OSError if the folder was removed; then the record stays closed."""
        self.close()
        self._size = 0
        self.path.replace(older(self.path))
        self._file = _open(self.path)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def older(path: Path) -> Path:
    """Return the path of a record's older file."""
    return path.with_name(path.name + ".1")


def _open(path: Path) -> int:
    return os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
