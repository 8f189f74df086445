"""The numbered events of a run: an append-only file with one JSON object per line."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Deque, Iterator, List, Optional, Tuple, cast

from .files import MAX_DEPTH, dumps, loads, make_private_folder
from .reserve import is_full
from .wire import PROTOCOL, Json, RunEvent

MAX_LINE = 256 * 1024
KEPT_TEXT = 128 * 1024
MIN_KEPT = 16
TAIL_CHUNK = 64 * 1024
MAX_WAITING = 16 * 1024 * 1024
"""Bytes of events that may wait in memory while the disk is full."""
ROOM_SECONDS = 0.2
"""How often a full disk is tried again."""
MAX_NUMBER = 2**63
TOO_DEEP = "… (nested too deep)"
LEFT_OUT = 1
"""`cut` of an event of which only nested parts were left out."""


def now() -> str:
    """Return the time in UTC with milliseconds, as in every event."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def last_sequence(path: Path) -> int:
    """Return the number of the last complete event; 0 if there is none.

    An event's number is that of its line. The lines are counted, because an agent may have written some.
    """
    try:
        with path.open("rb") as source:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: source.read(TAIL_CHUNK), b""))
    except OSError:
        return 0


def read_events(path: Path) -> Iterator[Json]:
    """Yield the complete events of a journal. Skip other lines, which an agent may have written."""
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return
    with source:
        for line in source:
            try:
                event = loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


class Journal:
    """Appends events, numbered on from the existing ones. Removes an incomplete last line.

    While the disk is full, events wait in memory. A deleted file is written again.
    """

    def __init__(self, path: Path, listener: Optional[Callable[[RunEvent], None]] = None) -> None:
        self.path = path
        self.listener = listener
        self._file = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = _cut_torn_line(self._file)
        self._waiting: Deque[bytes] = deque()
        self.last_seq = last_sequence(path)

    def add(self, event: RunEvent) -> None:
        """Write one event; unless the disk is full, it is visible to readers when this returns.

        Fields that are None are omitted. Raises OSError if too many events wait for room.
        """
        whole: Json = {"v": PROTOCOL, "seq": self.last_seq + 1, "at": now()}
        cut: List[int] = []
        given = ((name, value) for name, value in event.items() if value is not None)
        whole.update((name, plain(value, MAX_DEPTH - 1, cut)) for name, value in given)
        if cut:
            whole["cut"] = LEFT_OUT
        self._append(_fitting_line(whole))
        self.last_seq += 1
        if self.listener:
            self.listener(cast("RunEvent", whole))

    def _append(self, line: bytes) -> None:
        self._waiting.append(line)
        try:
            self._write_waiting()
        except OSError as error:
            if not is_full(error) or sum(map(len, self._waiting)) > MAX_WAITING:
                self._waiting.pop()
                raise

    def _write_waiting(self) -> None:
        self._restore()
        while self._waiting:
            self._write(self._waiting[0])
            self._waiting.popleft()

    def _restore(self) -> None:
        """Write the file again if it was deleted: its content still exists while it is open."""
        if os.fstat(self._file).st_nlink:
            return
        make_private_folder(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        again = os.open(str(self.path), flags, 0o600)
        at = 0
        while at < self._size:
            chunk = os.pread(self._file, min(TAIL_CHUNK, self._size - at), at)
            at += os.write(again, chunk)
        os.close(self._file)
        self._file = again

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            # a full disk must not leave half a line in the middle of the journal
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def keep(self) -> None:
        """Write events that wait for room, and the file if it was deleted, as far as that is possible."""
        with suppress(OSError):
            self._write_waiting()

    def close(self, patience: float = 0.0) -> int:
        """Sync all events to disk and close the file; return how many found no room in `patience` seconds."""
        deadline = time.monotonic() + patience
        self.keep()
        while self._waiting and time.monotonic() < deadline:
            time.sleep(ROOM_SECONDS)
            self.keep()
        with suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)
        return len(self._waiting)


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


def plain(value: Any, depth: int = MAX_DEPTH, cut: Optional[List[int]] = None) -> Any:
    """Return a copy with at most `depth` levels, and with only what every reader of JSON can read.

    `cut` gets an entry for each part that is left out.
    """
    if isinstance(value, (dict, list, tuple)) and depth <= 0:
        if cut is not None:
            cut.append(LEFT_OUT)
        return TOO_DEEP
    if isinstance(value, dict):
        return {str(name): plain(item, depth - 1, cut) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth - 1, cut) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and abs(value) < MAX_NUMBER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)


def _fitting_line(event: Json) -> bytes:
    """Return the event as a line of at most MAX_LINE bytes. Long texts are shortened until it fits."""
    line = dumps(event)
    keep = KEPT_TEXT
    while len(line) >= MAX_LINE and keep > MIN_KEPT:
        cut: List[int] = []
        shortened = _shorten(event, keep, cut)
        shortened["cut"] = max(cut) if cut else 0
        line = dumps(shortened)
        keep //= 2
    return (line if len(line) < MAX_LINE else dumps(_as_raw(event, line))) + b"\n"


def _as_raw(event: Json, line: bytes) -> Json:
    """Return the event as an unknown line: it has too many parts to be shortened."""
    head = {name: event[name] for name in ("v", "seq", "at")}
    return dict(head, kind="raw", line=line[: MAX_LINE // 4].decode("ascii"), cut=len(line))


def _shorten(value: Any, keep: int, cut: List[int]) -> Any:
    if isinstance(value, str) and len(value) > keep:
        cut.append(len(value))
        return value[:keep]
    if isinstance(value, dict):
        return {name[:keep]: _shorten(item, keep, cut) for name, item in value.items()}
    if isinstance(value, list):
        return [_shorten(item, keep, cut) for item in value[: keep // MIN_KEPT]]
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
