"""Split: turns a text into points, of which each can become a task. Pure: reads and changes no rows.

Each line of the text that is not empty is in the title or the prompt of a point, or in `done` or `context`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

from aitask.lib.errors import Refused
from tasks.planning.after_words import Reference, references_in
from tasks.planning.order import MOST_PLANNED, makes_circle
from tasks.planning.outline import Outline, OutlinePoint, normalized, outline_of, tree
from tasks.planning.separators import SplitBy, kind_of, sections, separators
from tasks.planning.titles import strip_marks, title_of

MAX_TEXT = 1_500_000
"Characters of the longest text that is split."


class Nested(StrEnum):
    """What becomes of the points below a point."""

    PROMPT = "prompt"
    TASKS = "tasks"


@dataclass(frozen=True)
class SplitPoint:
    """What becomes a task. `after` has the places of the points that it comes after."""

    title: str
    prompt: str
    after: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class SplitText:
    """The points of a text, and its lines that are in none of them."""

    points: list[SplitPoint]
    by: SplitBy
    done: list[str]
    "Points that are ticked as done, with what is below them."
    context: list[str]
    "Lines outside of all points; empty if they are in each prompt."
    has_nested: bool
    has_context: bool


@dataclass
class _Draft:
    """A point before its place is known."""

    point: OutlinePoint
    title: str
    prompt: str
    parent: _Draft | None = None


def split(
    text: str, *, by: SplitBy = SplitBy.AUTO, nested: Nested = Nested.PROMPT, share_context: bool = False
) -> SplitText:
    """Split a text into points. Raises Refused for a text that is empty, too long or has no points."""
    if len(text) > MAX_TEXT:
        reason = f"The text has {len(text):,} characters. At most {MAX_TEXT:,} can be split."
        raise Refused(reason, "Split it in parts.")
    text = normalized(text)
    if not text.strip():
        raise Refused("The text is empty.", "Paste a list, or a document with headings.")
    outline = outline_of(text)
    chosen = kind_of(outline) if by == SplitBy.AUTO else by
    if chosen == SplitBy.LINES:
        return _by_lines(outline)
    check_count(max(len(outline.headings), len(outline.points), 1) if len(outline.lines) > 20_000 else 1)
    tops = sections(outline) if chosen == SplitBy.HEADINGS else _list_points(outline)
    if not tops:
        raise Refused(*NOTHING_FOUND)
    return _Splitter(outline, tops, nested, share_context).result(chosen)


def check_count(count: int, done: Sequence[str] = ()) -> None:
    """Raise Refused if there are no points, or too many."""
    if not count:
        ticked = "Its only point is" if len(done) == 1 else f"All {len(done):,} points are"
        raise Refused(f"{ticked} ticked as done.", "There is nothing left to do.")
    if count > MOST_PLANNED:
        reason = f"These are {count:,} points. At most {MOST_PLANNED} tasks can be created at once."
        raise Refused(reason, "Split the text in parts, or at its headings.")


NOTHING_FOUND = (
    "This text has no list, no headings and no lines of ---, so it can't be split.",
    "Put each task on a line that begins with “- ”, or let an agent plan it.",
)


# lines of ---


def _by_lines(outline: Outline) -> SplitText:
    starts = [-1, *separators(outline)]
    ends = [*starts[1:], len(outline.lines)]
    parts = ["\n".join(outline.lines[a + 1 : b]).strip() for a, b in zip(starts, ends, strict=True)]
    points = [SplitPoint(title_of(part), part) for part in parts if part]
    check_count(len(points))
    return SplitText(points, SplitBy.LINES, [], [], has_nested=False, has_context=False)


# headings and list points


def _list_points(outline: Outline) -> list[OutlinePoint]:
    """Return the list points, each with the text between it and the next one of its section.

    What follows the last one of a section belongs to it only if the others have such text, too.
    """
    for section in sorted({point.section for point in outline.points}):
        points = [point for point in outline.points if point.section == section]
        follows = False
        for point, after in pairwise(points):
            end = _end_of_text(outline, point, after.first)
            follows = follows or end > point.end
            point.end = max(point.end, end)
        if follows:
            points[-1].end = _end_of_text(outline, points[-1], _end_of_section(outline, section))
    return outline.points


def _end_of_section(outline: Outline, section: int) -> int:
    headings = outline.headings[section + 1 :]
    return headings[0].first if headings else len(outline.lines)


def _end_of_text(outline: Outline, point: OutlinePoint, limit: int) -> int:
    """Return where the text of a point ends: before `limit` and before what introduces another list."""
    end = point.end
    for first in (line for line in outline.texts if point.end <= line < limit):
        block = "\n".join(outline.lines[first:limit]).split("\n\n")[0].rstrip()
        if block.endswith((":", ":**", "**:")) or (block.startswith("**") and block.endswith("**")):
            return end
        end = _end_of_block(outline, first, limit)
    return end


def _end_of_block(outline: Outline, first: int, limit: int) -> int:
    others = [line for line in (*outline.texts, *outline.rules) if first < line < limit]
    end = min(others, default=limit)
    while end > first + 1 and not outline.lines[end - 1].strip():
        end -= 1
    return end


class _Splitter:
    """Makes the points of the headings or list points `tops`."""

    def __init__(self, outline: Outline, tops: list[OutlinePoint], nested: Nested, share: bool) -> None:
        self.lines = outline.lines
        self.outline = outline
        self.tops = tops
        self.nested = nested
        self.share = share
        self.drafts: list[_Draft] = []
        self.done: list[str] = []

    def result(self, by: SplitBy) -> SplitText:
        for top in self.tops:
            self._add(top, None)
        check_count(len(self.drafts), self.done)
        after = self._after()
        points = [
            SplitPoint(each.title, self._with_context(each), places)
            for each, places in zip(self.drafts, after, strict=True)
        ]
        nested = any(not child.is_done for top in self.tops for child in top.children)
        told = (
            {section for draft in self.drafts for section in self._sections_of(draft)} if self.share else ()
        )
        left = [line for section, lines in self._context.items() if section not in told for line in lines]
        return SplitText(points, by, self.done, left, has_nested=nested, has_context=bool(self._context))

    # points

    def _add(self, point: OutlinePoint, parent: _Draft | None) -> None:
        """Add the point as a draft, and what is below it to its prompt or as drafts after it."""
        if point.is_done:
            self._leave_out(point, parent)
            return
        own = [child for child in point.children if self._is_own(child)]
        body = self._text(point.body, point.end, without=[*own, *_done_below(point, own)])
        if not point.head and not body.strip():
            for child in point.children:
                self._add(child, parent)
            return
        head = point.head or ""
        gap = "\n\n" if point.is_heading else "\n"
        prompt = f"{head}{gap}{body.lstrip(gap[1:])}".strip()
        title = title_of(head if strip_marks(head) else prompt)
        draft = _Draft(point, title, prompt, parent)
        self.drafts.append(draft)
        for child in _done_below(point, own):
            self._leave_out(child, draft)
        for child in own:
            self._add(child, draft)

    def _is_own(self, child: OutlinePoint) -> bool:
        """Whether what is below a point becomes a task of its own."""
        return self.nested == Nested.TASKS and not child.is_done

    def _leave_out(self, point: OutlinePoint, parent: _Draft | None) -> None:
        """Leave a done point out. Boxes below it that are not ticked are still to be done."""
        still_open = [each for child in point.children for each in tree(child) if _is_open_box(each)]
        still_open = [each for each in still_open if not any(_is_within(each, other) for other in still_open)]
        body = self._text(point.body, point.end, without=still_open)
        self.done.append(f"{point.head}\n{body}".strip())
        for each in still_open:
            self._add(each, parent)

    def _text(self, first: int, end: int, *, without: Sequence[OutlinePoint]) -> str:
        """Return these lines without those of some points, and without the margin that they share."""
        out = {line for point in without for line in range(point.first, point.end)}
        kept = [self.lines[line].rstrip() for line in range(first, end) if line not in out]
        tabs = (re.sub(r"^[ \t]+", lambda m: m[0].expandtabs(4), line) for line in kept)
        text = textwrap.dedent("\n".join(tabs)).rstrip("\n")
        return re.sub(r"^\n+", "\n", text)

    # context

    @cached_property
    def _context(self) -> dict[int, list[str]]:
        """Return the lines outside of all points by the section that they are about; -1 is the whole text."""
        covered = {line for top in self.tops for line in range(top.first, top.end)} | {*self.outline.rules}
        covered |= {each.body - 1 for each in self.outline.headings if each.body > each.first + 1}
        found: dict[int, list[str]] = {}
        section = -1
        firsts = {heading.first: place for place, heading in enumerate(self.outline.headings)}
        is_of_points = not self.tops[0].is_heading
        for number, line in enumerate(self.lines):
            if is_of_points:
                section = firsts.get(number, section)
            if number not in covered and line.strip():
                found.setdefault(section, []).append(line.rstrip())
        return found

    def _with_context(self, draft: _Draft) -> str:
        if not self.share:
            return draft.prompt
        above = self._sections_of(draft)
        parts = ["\n".join(lines) for section, lines in self._context.items() if section in above]
        return "\n\n".join([draft.prompt, "Context:", *parts]) if parts else draft.prompt

    def _sections_of(self, draft: _Draft) -> set[int]:
        """Return the sections whose context is about a draft: its own, and those of the headings above it."""
        above, level = {-1}, 7
        for place in () if draft.point.is_heading else range(draft.point.section, -1, -1):
            if self.outline.headings[place].level < level:
                level = self.outline.headings[place].level
                above.add(place)
        return above

    # order

    def _after(self) -> list[list[int]]:
        """Return what each draft comes after: its parent, and what it names by number."""
        places = {id(draft): place for place, draft in enumerate(self.drafts)}
        after: list[list[int]] = [[places[id(draft.parent)]] if draft.parent else [] for draft in self.drafts]
        for place, draft in enumerate(self.drafts):
            for reference in references_in(draft.prompt):
                target = self._place_of(reference, draft)
                if (
                    target is not None
                    and target not in after[place]
                    and not makes_circle(after, place, target)
                ):
                    after[place].append(target)
        return [sorted(each) for each in after]

    def _place_of(self, reference: Reference, draft: _Draft) -> int | None:
        """Return the only draft with this number: as it is written, else counted from 1 among the tops."""
        numbered = [p for p, each in enumerate(self.drafts) if each.point.number == reference.number]
        near = [p for p in numbered if self.drafts[p].point.section == draft.point.section]
        if any(each.point.number is not None for each in self.drafts):
            found = near if len(near) == 1 else numbered
            return found[0] if len(found) == 1 else None
        if not 0 < reference.number <= len(self.tops):
            return None
        top = self.tops[reference.number - 1]
        return next((p for p, each in enumerate(self.drafts) if each.point is top), None)


def _done_below(point: OutlinePoint, own: Iterable[OutlinePoint]) -> list[OutlinePoint]:
    """Return the done points below a point that are in no other done one, nor in a task of its own."""
    mine = {id(each) for each in own}
    found: list[OutlinePoint] = []
    for child in point.children:
        if id(child) not in mine:
            found += [child] if child.is_done else _done_below(child, ())
    return found


def _is_open_box(point: OutlinePoint) -> bool:
    return point.is_box and not point.is_done


def _is_within(point: OutlinePoint, other: OutlinePoint) -> bool:
    return point is not other and other.first <= point.first and point.end <= other.end
