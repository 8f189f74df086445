"""The numbered events of a run: an append-only file with one JSON object per line."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple, cast

from .files import dumps
from .wire import PROTOCOL, Json, RunEvent

MAX_LINE = 256 * 1024
KEPT_TEXT = 128 * 1024
TAIL_CHUNK = 64 * 1024


def now() -> str:
    """Return the time in UTC with milliseconds, as in every event."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def last_sequence(path: Path) -> int:
    """Return the number of the last complete event; 0 if there is none."""
    line = _last_line(path)
    try:
        return int(json.loads(line)["seq"]) if line else 0
    except (ValueError, KeyError, TypeError):
        return sum(1 for _ in read_events(path))


def read_events(path: Path) -> Iterator[Json]:
    """Yield the complete events of a journal. Skip other lines, which an agent may have written."""
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return
    with source:
        for line in source:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


class Journal:
    """Appends events, numbered on from the existing ones. Removes an incomplete last line."""

    def __init__(self, path: Path, listener: Optional[Callable[[RunEvent], None]] = None) -> None:
        self.path = path
        self.listener = listener
        self._file = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = _cut_torn_line(self._file)
        self.last_seq = last_sequence(path)

    def add(self, event: RunEvent) -> None:
        """Write one event; it is visible to readers when this returns. Fields that are None are omitted."""
        whole: Json = {"v": PROTOCOL, "seq": self.last_seq + 1, "at": now()}
        whole.update((name, value) for name, value in event.items() if value is not None)
        self._append(_fitting_line(whole))
        self.last_seq += 1
        if self.listener:
            self.listener(cast("RunEvent", whole))

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            # a full disk must not leave half a line in the middle of the journal
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def close(self) -> None:
        """Sync all events to disk and close the file."""
        os.fsync(self._file)
        os.close(self._file)


def _cut_torn_line(file: int) -> int:
    """Remove an incomplete last line, and return the remaining size."""
    size = os.fstat(file).st_size
    end = size
    while end > 0:
        start = max(0, end - TAIL_CHUNK)
        at = os.pread(file, end - start, start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end != size:
        os.ftruncate(file, end)
    return end


def _last_line(path: Path) -> bytes:
    """Return the last complete line of a file, without its newline."""
    try:
        with path.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - MAX_LINE - TAIL_CHUNK))
            lines = source.read().split(b"\n")
    except OSError:
        return b""
    return lines[-2] if len(lines) > 1 else b""


def _fitting_line(event: Json) -> bytes:
    """Return the event as a line of at most MAX_LINE bytes. Long texts are shortened until it fits."""
    line = dumps(event)
    keep = KEPT_TEXT
    while len(line) >= MAX_LINE and keep > 16:
        cut: List[int] = []
        shortened = _shorten(event, keep, cut)
        shortened["cut"] = max(cut) if cut else 0
        line = dumps(shortened)
        keep //= 2
    return line + b"\n"


def _shorten(value: Any, keep: int, cut: List[int]) -> Any:
    if isinstance(value, str) and len(value) > keep:
        cut.append(len(value))
        return value[:keep]
    if isinstance(value, dict):
        return {name: _shorten(item, keep, cut) for name, item in value.items()}
    if isinstance(value, list):
        return [_shorten(item, keep, cut) for item in value[: keep // 16]]
    return value


def span_of_lines(data: bytes, max_lines: int) -> Tuple[List[bytes], int]:
    """Return the complete lines in `data`, at most `max_lines`, and their size in bytes."""
    lines: List[bytes] = []
    at = 0
    while len(lines) < max_lines:
        end = data.find(b"\n", at)
        if end < 0:
            break
        lines.append(data[at:end])
        at = end + 1
    return lines, at
