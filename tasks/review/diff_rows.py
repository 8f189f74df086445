"""The diff of one file as table rows. All text is untrusted and escaped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from django.utils.html import escape

from tasks.review.patches import Colours, DiffLine, Hunk, pairs

MAX_ROWS = 1500
"Maximum rows in one response; the page requests the next ones."
CLASSES = {" ": "same", "+": "new", "-": "old"}
NAMES = {" ": "", "+": "added", "-": "removed"}


def render_rows(
    hunks: Sequence[Hunk], colours: Colours, *, split: bool, start: int = 0
) -> tuple[str, int | None]:
    """Return the rows from number `start` on, and the number of the next row, or None at the end."""
    rows = _split_rows(hunks, colours) if split else _unified_rows(hunks, colours)
    taken = list(islice(rows, start, start + MAX_ROWS + 1))
    following = start + MAX_ROWS if len(taken) > MAX_ROWS else None
    return "".join(taken[:MAX_ROWS]), following


def _where(hunk: Hunk) -> str:
    return f"line {hunk.new_start or hunk.old_start} <span>{escape(hunk.heading[:200])}</span>"


def _unified_rows(hunks: Sequence[Hunk], colours: Colours) -> Iterator[str]:
    for hunk in hunks:
        yield f'<tr class="hunk"><td class="n" colspan="2">⋯</td><td>{_where(hunk)}</td></tr>'
        for line in hunk.lines:
            yield f"<tr>{_number(line, 'old')}{_number(line, 'new')}{_code(line, colours)}</tr>"


def _split_rows(hunks: Sequence[Hunk], colours: Colours) -> Iterator[str]:
    for hunk in hunks:
        yield f'<tr class="hunk"><td class="n">⋯</td><td colspan="3">{_where(hunk)}</td></tr>'
        for left, right in pairs(hunk.lines):
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
        f'<td class="n {CLASSES[line.kind]}"><button type="button" data-side="{side}" data-line="{number}" '
        f'aria-label="Comment on {side} line {number}">{number}</button></td>'
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
