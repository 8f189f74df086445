"""Parses unified diffs, and highlights their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.utils.html import escape

from aitask.lib import helper
from workspaces.hostkit.escapes import printed, visible

HEAD = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@ ?(.*)")
MAX_LINE = 2000
"Maximum characters of a line that are shown."
MAX_COLOURED = 160 * 1024
MAX_COLOURED_LINE = 2000


@dataclass(frozen=True)
class DiffLine:
    """A line of a diff: its kind (` `, `+` or `-`), and its numbers in the old and the new file, if any."""

    kind: str
    old: int | None
    new: int | None
    text: str
    no_newline: bool = False


@dataclass
class Hunk:
    heading: str
    old_start: int
    new_start: int
    lines: list[DiffLine] = field(default_factory=list)


def parse(patch: str) -> list[Hunk]:
    """Return the hunks of one file's diff; none for a binary file or if only mode or name change."""
    hunks: list[Hunk] = []
    old = new = 0
    for text in patch.split("\n"):
        found = HEAD.match(text) if text.startswith("@@") else None
        if found:
            old, new = int(found[1]), int(found[2])
            hunks.append(Hunk(found[3], old, new))
        elif not hunks or not text:
            continue
        elif text[0] == "\\":
            _mark_no_newline(hunks[-1])
        elif text[0] in " +-":
            kind = text[0]
            at = (None if kind == "+" else old, None if kind == "-" else new)
            hunks[-1].lines.append(DiffLine(kind, *at, text[1:]))
            old += kind != "+"
            new += kind != "-"
    return hunks


def _mark_no_newline(hunk: Hunk) -> None:
    if hunk.lines:
        last = hunk.lines[-1]
        hunk.lines[-1] = DiffLine(last.kind, last.old, last.new, last.text, no_newline=True)


def is_binary(patch: str) -> bool:
    return "\nBinary files " in patch or patch.startswith("Binary files ")


def colour(text: str, path: str) -> list[str] | None:
    """Return the lines of a file as HTML with Pygments' classes; None if it is unknown or too large.

    If colouring takes too long, these are only its first lines.
    """
    count = len(text.removesuffix("\n").split("\n"))
    if len(text) > MAX_COLOURED or any(len(line) > MAX_COLOURED_LINE for line in text.split("\n")):
        return None
    shown = printed(text)
    if "\r" in shown.replace("\r\n", "\n"):
        return None  # Pygments ends lines at carriage returns, git does not
    lines: list[str] | None = helper.ask("coloured_lines", shown, path.rpartition("/")[2][-255:])
    return lines if lines is not None and len(lines) <= count else None


class Colours:
    """The highlighted lines of both sides of a file, as far as there are any."""

    def __init__(self, path: str, old: str | None, new: str | None) -> None:
        self.old = colour(old, path) if old else None
        self.new = colour(new, path) if new else None

    def of(self, line: DiffLine) -> str:
        """Return the HTML of one line."""
        lines, number = (self.old, line.old) if line.kind == "-" else (self.new, line.new)
        if len(line.text) > MAX_LINE:
            more = len(line.text) - MAX_LINE
            shown = escape(visible(line.text[:MAX_LINE]))
            return f'{shown}<span class="more">… {more:,} more characters</span>'
        if lines and number and number <= len(lines):
            return lines[number - 1]
        return escape(visible(line.text.removesuffix("\r")))


def pairs(lines: Iterable[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    """Pair lines for the side-by-side view: removed lines with the added ones that replace them."""
    removed: list[DiffLine] = []
    added: list[DiffLine] = []
    for line in lines:
        if line.kind == "-" and not added:
            removed.append(line)
        elif line.kind == "+":
            added.append(line)
        else:
            yield from _side_by_side(removed, added)
            removed, added = ([line], []) if line.kind == "-" else ([], [])
            if line.kind == " ":
                yield line, line
    yield from _side_by_side(removed, added)


def _side_by_side(
    removed: list[DiffLine], added: list[DiffLine]
) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    for number in range(max(len(removed), len(added))):
        yield (
            removed[number] if number < len(removed) else None,
            added[number] if number < len(added) else None,
        )
