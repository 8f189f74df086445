"""A bounded copy of what was printed: when it is full, the oldest part goes."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 32 * 1024 * 1024
KEPT_BYTES = 24 * 1024 * 1024


class Record:
    def __init__(self, path: Path, most: int = MAX_BYTES, kept: int = KEPT_BYTES) -> None:
        self.path = path
        self.most = most
        self.kept = kept
        self._file = self._open()
        self._size = os.fstat(self._file).st_size

    def _open(self) -> int:
        return os.open(str(self.path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, data: bytes) -> None:
        if self._file < 0:
            return
        self._size += os.write(self._file, data)
        if self._size > self.most:
            self._cut()

    def _cut(self) -> None:
        """Keep the newest part, from a line's beginning."""
        with self.path.open("rb") as source:
            source.seek(-self.kept, os.SEEK_END)
            data = source.read()
        newest = self.path.with_name(self.path.name + ".new")
        newest.write_bytes(data[data.find(b"\n") + 1 :])
        newest.chmod(0o600)
        newest.replace(self.path)
        os.close(self._file)
        self._file = self._open()
        self._size = os.fstat(self._file).st_size

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
