"""The diff of one file as table rows. All text is untrusted and escaped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.utils.html import escape

from tasks.review.patches import Colours, DiffLine, Hunk, pairs

MAX_ROWS = 1500
"Maximum rows in one response; the page requests the next ones."
STEP, MOST_AT_ONCE = 20, 40
"Hidden lines that a button shows, and that one button shows all of."
CLASSES = {" ": "same", "+": "new", "-": "old"}
NAMES = {" ": "", "+": "added", "-": "removed"}


def render_rows(
    hunks: Sequence[Hunk], colours: Colours, *, split: bool, start: int = 0, length: int = 0
) -> tuple[str, int | None]:
    """Return the rows from number `start` on, and the number of the next row, or None at the end.

    `length` is the number of lines of the new file, 0 if it is not known.
    """
    rows = _rows(hunks, colours, split=split, length=length)
    taken = list(islice(rows, start, start + MAX_ROWS + 1))
    following = start + MAX_ROWS if len(taken) > MAX_ROWS else None
    return "".join(taken[:MAX_ROWS]), following


def render_unchanged(lines: Sequence[DiffLine], colours: Colours, *, split: bool) -> str:
    """Return rows of lines that are the same on both sides."""
    return "".join(_line_rows(lines, colours, split=split))


def _rows(hunks: Sequence[Hunk], colours: Colours, *, split: bool, length: int) -> Iterator[str]:
    old, new = 1, 1  # The first lines that are not shown yet.
    for hunk in hunks:
        start = _start(hunk)
        gap = HiddenLines(new, start - 1, old - new)
        yield _between(_buttons(gap, is_first=new == 1), gap, _where(hunk), split=split)
        yield from _line_rows(hunk.lines, colours, split=split)
        for line in hunk.lines:
            old, new = (line.old or old - 1) + 1, (line.new or new - 1) + 1
    if hunks and length >= new:
        gap = HiddenLines(new, length, old - new)
        yield _between(_buttons(gap, is_last=True), gap, "", split=split)


def _start(hunk: Hunk) -> int:
    """Return the first line of the new file in a hunk; 1 if it has none, because the file was emptied."""
    return next((line.new for line in hunk.lines if line.new), 1)


@dataclass(frozen=True)
class HiddenLines:
    """The lines of the new file that are not shown. `offset` plus the new number is the old one."""

    first: int
    last: int
    offset: int

    @property
    def size(self) -> int:
        return max(0, self.last - self.first + 1)


def _between(buttons: str, gap: HiddenLines, where: str, *, split: bool) -> str:
    """Return the row that stands for a gap."""
    data = f' data-first="{gap.first}" data-last="{gap.last}" data-offset="{gap.offset}"' if gap.size else ""
    left, right = (1, 3) if split else (2, 1)
    return (
        f'<tr class="hunk"{data}><td class="n" colspan="{left}">{buttons}</td>'
        f'<td colspan="{right}">{where}</td></tr>'
    )


def _buttons(gap: HiddenLines, *, is_first: bool = False, is_last: bool = False) -> str:
    """Return the buttons that show lines of a gap, from its beginning or its end."""
    if not gap.size:
        return "⋯"
    if gap.size <= MOST_AT_ONCE:
        return _more("all", "↕", f"Show {gap.size} hidden line{'' if gap.size == 1 else 's'}")
    down = _more("down", "↓", f"Show the {STEP} lines after line {gap.first - 1}")
    up = _more("up", "↑", f"Show the {STEP} lines before line {gap.last + 1}")
    return ("" if is_first else down) + ("" if is_last else up)


def _more(which: str, sign: str, label: str) -> str:
    return f'<button type="button" data-more="{which}" title="{label}" aria-label="{label}">{sign}</button>'


def _where(hunk: Hunk) -> str:
    return f"line {hunk.new_start or hunk.old_start} <span>{escape(hunk.heading[:200])}</span>"


def _line_rows(lines: Sequence[DiffLine], colours: Colours, *, split: bool) -> Iterator[str]:
    if not split:
        for line in lines:
            yield f"<tr>{_number(line, 'old')}{_number(line, 'new')}{_code(line, colours)}</tr>"
        return
    for left, right in pairs(lines):
        yield f"<tr>{_half(left, 'old', colours)}{_half(right, 'new', colours)}</tr>"


def _half(line: DiffLine | None, side: str, colours: Colours) -> str:
    if line is None:
        return '<td class="n none"></td><td class="none"></td>'
    return _number(line, side) + _code(line, colours)


def _number(line: DiffLine, side: str) -> str:
    number = line.old if side == "old" else line.new
    if number is None:
        return f'<td class="n {CLASSES[line.kind]}"></td>'
    return (
        f'<td class="n {CLASSES[line.kind]}"><button type="button" tabindex="-1" data-side="{side}" '
        f'data-line="{number}" aria-label="Comment on {side} line {number}">{number}</button></td>'
    )


def is_crlf(line: DiffLine) -> bool:
    """Whether the line is a change that ends with CRLF, which would otherwise look like LF."""
    return line.kind != " " and line.text.endswith("\r")


def _code(line: DiffLine, colours: Colours) -> str:
    note = '<span class="eof" title="Ends with a carriage return (CRLF)">^M</span>' if is_crlf(line) else ""
    if line.no_newline:
        note += '<span class="eof" title="No line break at the end of the file">⏎̸</span>'
    label = f'<span class="sr">{NAMES[line.kind]}: </span>' if line.kind != " " else ""
    return f'<td class="code {CLASSES[line.kind]}">{label}<code>{colours.of(line)}</code>{note}</td>'
