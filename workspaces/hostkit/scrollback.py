"""The scrollback of panes, as recorded on this host, made safe to be printed again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple, Optional

from .files import write_atomic
from .run.record import older

PANE, AGENT, SAVED = "pane.raw", "terminal.raw", "history.txt"
INTERACTIVE = "hand.raw"
"""The pane of an interactive session; its name is that of older versions, whose records stay readable."""
OPENED = "opened-*.raw"
"""Panes that somebody opened in the session by hand."""
SHOWN_AGAIN = 4 * 1024 * 1024
"""Bytes of what was printed that a new shell shows above its prompt."""
SEQUENCE = re.compile(
    rb"\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\|\x1b?\Z)?"
    rb"|\x1b\[(?P<prefix>[<-?]?)(?P<words>[0-9;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\x1b\[[0-?]*[ -/]*\Z"
    rb"|\x1b(?P<single>[c=>NOZ])"
    rb"|\x1b\Z|[\x05\x07]"
)
ALTERNATE = {b"47", b"1047", b"1049"}
MOVES_AND_COLOURS = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")
CLEAR = b"\x1b[H\x1b[2J"
PLAIN_AGAIN = b"\x1b[m\x1b(B\x0f\x1b7\x1b[r\x1b8"
"""No colours, usual characters, no scroll region, and the cursor where it is."""


class Kept(NamedTuple):
    """A record of one pane."""

    path: Path
    mtime: float
    size: int


def harmless(data: bytes) -> bytes:
    """The same to look at, but nothing in it asks the terminal, renames it or leaves it in another mode."""
    result = SEQUENCE.sub(_kept_of, data)
    on = max(result.rfind(b"\x1b[?%sh" % mode) for mode in ALTERNATE)
    off = max(result.rfind(b"\x1b[?%sl" % mode) for mode in ALTERNATE)
    end = b"" if result.endswith(b"\n") or not result else b"\r\n"
    return result + (b"\x1b[?1049l" if on > off else b"") + PLAIN_AGAIN + end


def _kept_of(found: "re.Match[bytes]") -> bytes:
    if found["single"] == b"c":
        return CLEAR  # a reset would take the history with it
    final, words = found["final"], found["words"]
    if not final or found["between"] or (words == b"3" and final == b"J"):
        return b""
    if found["prefix"] == b"?":
        keeps = final in b"JK" or (final in b"hl" and words in ALTERNATE)
    else:
        keeps = not found["prefix"] and final[0] in MOVES_AND_COLOURS
    return found[0] if keeps else b""


def records(folder: Path) -> List[Kept]:
    """What there is to read of a folder, in the order to be shown."""
    main = max(filter(None, (_kept(folder / SAVED), _kept(folder / PANE))), key=_newest, default=None)
    opened = sorted(filter(None, map(_kept, folder.glob(OPENED))), key=_newest)
    return [kept for kept in (main or _kept(folder / AGENT), _kept(folder / INTERACTIVE), *opened) if kept]


def _newest(kept: Kept) -> "tuple[float, bool]":
    return kept.mtime, kept.path.name == SAVED


def _kept(path: Path) -> Optional[Kept]:
    try:
        known = path.stat()
    except OSError:
        return None
    size = known.st_size + _size(older(path))
    return Kept(path, known.st_mtime, size) if size else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def newest_part(kept: Kept, most: int) -> bytes:
    """The last bytes of a record, from a line's beginning when some are left out; for any terminal."""
    data = _tail(kept.path, most)
    if len(data) < most:
        data = _tail(older(kept.path), most - len(data)) + data
    if len(data) < kept.size:
        data = data[data.find(b"\n") + 1 :]
    if kept.path.name == SAVED:
        return re.sub(rb"\r?\n", b"\r\n", data)
    return harmless(data)


def _tail(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as source:
            source.seek(max(0, _size(path) - most))
            return source.read(most)
    except OSError:
        return b""


def fold(folder: Path) -> int:
    """Make ready what a new shell shows first; the bytes of it that tmux will see. Harmless to repeat."""
    saved = folder / SAVED
    pane = _kept(folder / PANE)
    known = _kept(saved)
    if pane and (known is None or known.mtime < pane.mtime):
        write_atomic(saved, newest_part(pane, SHOWN_AGAIN).replace(b"\r\n", b"\n"))
    try:
        text = saved.read_bytes()
    except OSError:
        return 0
    return len(text) + text.count(b"\n")  # the terminal adds a carriage return to each
