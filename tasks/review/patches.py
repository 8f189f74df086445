"""A unified diff, line by line, and its colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from django.utils.html import escape
from pygments import highlight
from pygments.lexer import Lexer
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from tasks.rendering.markdown import formatter
from workspaces.merging.conflicts import visible

HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
MAX_LINE = 2000
"Characters of a line that are shown."
MAX_COLOURED = 160 * 1024
MAX_COLOURED_LINE = 2000


@dataclass(frozen=True)
class DiffLine:
    """One line: kind is ` `, `+` or `-`; its numbers in the old and the new file, None where it is not."""

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
    """The hunks of one file's diff; none for a binary file or a change of mode or name alone."""
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


@lru_cache(maxsize=200)
def lexer_for(name: str) -> Lexer:
    """By the file's name alone: guessing from its content is slow and often wrong."""
    try:
        found: Lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=True)
    except (ClassNotFound, ValueError):
        found = TextLexer(stripnl=False, ensurenl=True)
    return found


def colour(text: str, path: str) -> list[str] | None:
    """The lines of a file as HTML with Pygments' classes; None when it is too large to be quick."""
    if len(text) > MAX_COLOURED or any(len(line) > MAX_COLOURED_LINE for line in text.split("\n")):
        return None
    lexer = lexer_for(path.rpartition("/")[2])
    if isinstance(lexer, TextLexer):
        return None
    coloured: str = highlight(visible(text), lexer, formatter)
    lines = coloured.split("\n")
    # Pygments takes a carriage return for the end of a line: then its lines are not those of git.
    return lines if len(lines) == len(text.removesuffix("\n").split("\n")) + 1 else None


class Colours:
    """The coloured lines of both sides of a file, where they are known."""

    def __init__(self, path: str, old: str | None, new: str | None) -> None:
        self.old = colour(old, path) if old else None
        self.new = colour(new, path) if new else None

    def of(self, line: DiffLine) -> str:
        """The HTML of one line."""
        lines, number = (self.old, line.old) if line.kind == "-" else (self.new, line.new)
        if len(line.text) > MAX_LINE:
            more = len(line.text) - MAX_LINE
            shown = escape(visible(line.text[:MAX_LINE]))
            return f'{shown}<span class="more">… {more:,} more characters</span>'
        if lines and number and number <= len(lines):
            return lines[number - 1]
        return escape(visible(line.text.removesuffix("\r")))


def pairs(lines: Iterable[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    """Side by side: removed lines beside the added ones that took their place."""
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
