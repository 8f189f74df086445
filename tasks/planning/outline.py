"""The outline of a text: its headings, list points and the text between them, as ranges of its lines.

The Markdown parser only says where blocks begin and end. Titles and prompts are made of the lines as they
were written, so that nothing is reformatted or lost.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NEWLINES = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
BULLETS = re.compile(r"^([ \t]*)[•‣◦▪▫●○∙·⁃–—‐✓✔☐☑☒]\ufe0f?([ \t]+)", re.MULTILINE)
"Bullets that are not Markdown's, as word processors paste them."
BOXES = re.compile(r"^([ \t]*)(?:[-*+•][ \t]+)?([☐☑☒✓✔✅⬜])\ufe0f?[ \t]+", re.MULTILINE)
MARKER = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
BOX = re.compile(r"\[([ xX])\](?:[ \t]+|$)")
NUMBER = re.compile(r"(?:\*\*)?(\d{1,4})(?:[.):]|\s|$)")
MAX_NESTING = 30


@lru_cache(maxsize=1)
def block_parser() -> MarkdownIt:
    """Return the parser. It is imported when it is needed, because it takes memory."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    parser.disable(["html_block", "reference"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@dataclass
class OutlinePoint:
    """A heading with its section, or a point of a list. Lines are counted from 0; `end` is excluded."""

    first: int
    end: int
    level: int
    "Of a heading 1 to 6; of a list point, its depth from 0."
    head: str
    "Its first line without heading marks, bullet, number and box."
    is_heading: bool = False
    number: int | None = None
    "The number with which it is written."
    is_box: bool = False
    is_done: bool = False
    section: int = 0
    "The place in `headings` of the heading above it; -1 if there is none."
    body: int = 0
    "The first line after its head."
    children: list[OutlinePoint] = field(default_factory=list)


@dataclass
class Outline:
    """All headings in their order, the list points outside of other points, and lines of `---`."""

    lines: list[str]
    headings: list[OutlinePoint] = field(default_factory=list)
    points: list[OutlinePoint] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    "First lines of blocks that are neither headings nor lists."
    open: list[OutlinePoint] = field(default_factory=list)
    "The headings whose sections go on at the end."


def normalized(text: str) -> str:
    """Return the text with plain line ends, and without the margin that all lines share."""
    return textwrap.dedent(NEWLINES.sub("\n", text.removeprefix("\ufeff")).replace("\0", "\ufffd"))


def outline_of(text: str) -> Outline:
    """Return the outline of a normalized text."""
    outline = Outline(text.split("\n"))
    tokens = block_parser().parse(_as_markdown(text))
    at = 0
    while at < len(tokens):
        end = _end_of_block(tokens, at)
        _note_block(outline, tokens[at:end])
        at = end
    return outline


def _as_markdown(text: str) -> str:
    """Return the text with Markdown's bullets and boxes, line for line."""
    with_boxes = BOXES.sub(lambda m: f"{m[1]}- [{' ' if m[2] in '☐⬜' else 'x'}] ", text)
    return BULLETS.sub(lambda m: f"{m[1]}-{m[2]}", with_boxes)


def _end_of_block(tokens: list[Token], at: int) -> int:
    """Return where the tokens of the block that begins here end."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth <= 0:
            return place + 1
    return len(tokens)


def _note_block(outline: Outline, tokens: list[Token]) -> None:
    head = tokens[0]
    if not head.map:
        return
    if head.type == "heading_open":
        _note_heading(outline, head, tokens[1])
    elif head.type in ("bullet_list_open", "ordered_list_open"):
        _note_list(outline, tokens)
    elif head.type == "hr":
        outline.rules.append(head.map[0])
    else:
        outline.texts.append(head.map[0])


def _note_heading(outline: Outline, token: Token, inline: Token) -> None:
    first, body = token.map or (0, 0)
    words = " ".join(inline.content.split())
    found = NUMBER.match(words)
    outline.headings.append(
        OutlinePoint(
            first,
            len(outline.lines),
            int(token.tag[1:]),
            words,
            is_heading=True,
            number=int(found[1]) if found else None,
            body=body,
        )
    )
    newest = outline.headings[-1]
    while outline.open and outline.open[-1].level >= newest.level:
        outline.open.pop().end = first
    outline.open.append(newest)


def _note_list(outline: Outline, tokens: list[Token]) -> None:
    section = len(outline.headings) - 1
    points = _points_of(outline, tokens)
    for point in points:
        for each in tree(point):
            each.section = section
    above = outline.points[-1] if outline.points else None
    if above and above.section == section and _is_nested_under(outline, above, points[0]):
        # such as bullets below a number that are indented by less than its text
        for point in points:
            for each in tree(point):
                each.level += 1
        above.children += points
        above.end = points[-1].end
    else:
        outline.points += points


def _is_nested_under(outline: Outline, above: OutlinePoint, point: OutlinePoint) -> bool:
    between = outline.lines[above.end : point.first]
    return not any(map(str.strip, between)) and _indent(outline, point) > _indent(outline, above)


def _indent(outline: Outline, point: OutlinePoint) -> int:
    line = outline.lines[point.first].expandtabs(4)
    return len(line) - len(line.lstrip())


def _points_of(outline: Outline, tokens: list[Token]) -> list[OutlinePoint]:
    """Return the points of one list. Those of the lists within them are their children."""
    points: list[OutlinePoint] = []
    open_points: list[OutlinePoint] = []
    for token in tokens:
        if token.type == "list_item_open" and token.map:
            point = _point(outline, token, open_points)
            (open_points[-1].children if open_points else points).append(point)
            open_points.append(point)
        elif token.type == "list_item_close":
            open_points.pop()
    return points


def _point(outline: Outline, token: Token, above: list[OutlinePoint]) -> OutlinePoint:
    first, end = token.map or (0, 0)
    markers = 1 + sum(point.first == first for point in above)
    head, box = _without_markers(outline.lines[first], markers)
    while end > first + 1 and not outline.lines[end - 1].strip():
        end -= 1
    return OutlinePoint(
        first,
        end,
        len(above),
        head,
        number=int(token.info) if token.info.isdigit() else None,
        is_box=bool(box),
        is_done=box in ("x", "X"),
        body=first + 1,
    )


def _without_markers(line: str, count: int) -> tuple[str, str]:
    """Return the line without so many bullets or numbers, and what stands in its box, if it has one."""
    rest = _as_markdown(line)
    for _ in range(count):
        rest = MARKER.sub("", rest, count=1)
    box = BOX.match(rest)
    return (rest[box.end() :] if box else rest).strip(), box[1] if box else ""


def tree(point: OutlinePoint) -> Iterator[OutlinePoint]:
    """Yield the point and everything below it, in order."""
    yield point
    for child in point.children:
        yield from tree(child)
