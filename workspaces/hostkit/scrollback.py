"""Recorded scrollback of panes, sanitized so that it can be printed again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple, Optional

from .files import write_atomic
from .run.record import older

PANE, AGENT, SAVED = "pane.raw", "terminal.raw", "history.txt"
INTERACTIVE = "hand.raw"
"""The pane of an interactive session. Named as in older versions, so that their records stay readable."""
OPENED = "opened-*.raw"
"""Panes that users opened in the tmux session."""
REPRINTED_BYTES = 4 * 1024 * 1024
"""Bytes of earlier output that a new shell prints above its prompt."""
SEQUENCE = re.compile(
    rb"\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\|\x1b?\Z)?"
    rb"|\x1b\[(?P<prefix>[<-?]?)(?P<parameters>[0-9;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\x1b\[[0-?]*[ -/]*\Z"
    rb"|\x1b(?P<single>[c=>NOZ])"
    rb"|\x1b\Z|[\x05\x07]"
)
ALTERNATE = {b"47", b"1047", b"1049"}
MOVES_AND_COLOURS = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")
CLEAR = b"\x1b[H\x1b[2J"
RESET = b"\x1b[m\x1b(B\x0f\x1b7\x1b[r\x1b8"
"""Resets colours, character set and scroll region; keeps the cursor position."""


class PaneRecord(NamedTuple):
    """A record of one pane."""

    path: Path
    mtime: float
    size: int


def harmless(data: bytes) -> bytes:
    """Remove sequences that query the terminal, set its title or change its modes."""
    result = SEQUENCE.sub(_sanitized, data)
    on = max(result.rfind(b"\x1b[?%sh" % mode) for mode in ALTERNATE)
    off = max(result.rfind(b"\x1b[?%sl" % mode) for mode in ALTERNATE)
    end = b"" if result.endswith(b"\n") or not result else b"\r\n"
    return result + (b"\x1b[?1049l" if on > off else b"") + RESET + end


def _sanitized(found: "re.Match[bytes]") -> bytes:
    """Return what replaces one control sequence: itself, a harmless equivalent, or nothing."""
    if found["single"] == b"c":
        return CLEAR  # a full reset would also delete the scrollback
    final, parameters = found["final"], found["parameters"]
    if not final or found["between"] or (parameters == b"3" and final == b"J"):
        return b""
    if found["prefix"] == b"?":
        keeps = final in b"JK" or (final in b"hl" and parameters in ALTERNATE)
    else:
        keeps = not found["prefix"] and final[0] in MOVES_AND_COLOURS
    return found[0] if keeps else b""


def records(folder: Path) -> List[PaneRecord]:
    """Return the records of a folder in display order."""
    main = max(filter(None, (_record(folder / SAVED), _record(folder / PANE))), key=_newest, default=None)
    opened = sorted(filter(None, map(_record, folder.glob(OPENED))), key=_newest)
    found = (main or _record(folder / AGENT), _record(folder / INTERACTIVE), *opened)
    return [record for record in found if record]


def _newest(record: PaneRecord) -> "tuple[float, bool]":
    return record.mtime, record.path.name == SAVED


def _record(path: Path) -> Optional[PaneRecord]:
    try:
        known = path.stat()
    except OSError:
        return None
    size = known.st_size + _size(older(path))
    return PaneRecord(path, known.st_mtime, size) if size else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def newest_part(record: PaneRecord, limit: int) -> bytes:
    """Return the last `limit` bytes of a record, sanitized, starting at a line if it is cut."""
    data = _tail(record.path, limit)
    if len(data) < limit:
        data = _tail(older(record.path), limit - len(data)) + data
    if len(data) < record.size:
        data = data[data.find(b"\n") + 1 :]
    if record.path.name == SAVED:
        return re.sub(rb"\r?\n", b"\r\n", data)
    return harmless(data)


def _tail(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as source:
            source.seek(max(0, _size(path) - limit))
            return source.read(limit)
    except OSError:
        return b""


def fold(folder: Path) -> int:
    """Write what a new shell prints first, and return its size as tmux will see it. Idempotent."""
    saved = folder / SAVED
    pane = _record(folder / PANE)
    known = _record(saved)
    if pane and (known is None or known.mtime < pane.mtime):
        write_atomic(saved, newest_part(pane, REPRINTED_BYTES).replace(b"\r\n", b"\n"))
    try:
        text = saved.read_bytes()
    except OSError:
        return 0
    return len(text) + text.count(b"\n")  # the terminal adds a carriage return to each newline
