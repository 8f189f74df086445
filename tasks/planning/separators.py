"""What separates the points of a text: headings, list points, or lines of `---`."""

from __future__ import annotations

from enum import StrEnum

from tasks.planning.outline import Outline, OutlinePoint


class SplitBy(StrEnum):
    """What separates the points of a text."""

    AUTO = "auto"
    HEADINGS = "headings"
    POINTS = "points"
    LINES = "lines"


def kind_of(outline: Outline) -> SplitBy:
    """Return what separates the points, judged by what the text has most likely been written as."""
    headings = _true_headings(outline)
    boxes = any(point.is_box for point in outline.points)
    if not headings and separators(outline) and not (outline.points and not outline.texts):
        return SplitBy.LINES
    if boxes:
        return SplitBy.POINTS
    if len(sections(outline)) > 1:
        return SplitBy.HEADINGS
    if outline.points:
        return SplitBy.POINTS
    if separators(outline):
        return SplitBy.LINES
    return SplitBy.HEADINGS


def _true_headings(outline: Outline) -> list[OutlinePoint]:
    """Return the headings without those that are rather a line of text above a separator."""
    doubtful = [each for each in outline.headings if _is_doubtful(outline, each)]
    if len(doubtful) < len(outline.headings) or not doubtful:
        return outline.headings
    ends = [*(each.first for each in doubtful[1:]), len(outline.lines)]
    looks_like_titles = all(
        each.body - each.first == 2
        and (each.first == 0 or not outline.lines[each.first - 1].strip())
        and any(map(str.strip, outline.lines[each.body : end]))
        for each, end in zip(doubtful, ends, strict=True)
    )
    return doubtful if looks_like_titles and len(doubtful) > 1 else []


def _is_doubtful(outline: Outline, heading: OutlinePoint) -> bool:
    return outline.lines[heading.body - 1].rstrip() == "---"


def separators(outline: Outline) -> list[int]:
    """Return the lines of `---` that separate tasks, as the form for new tasks has them."""
    rules = [line for line in outline.rules if outline.lines[line].rstrip() == "---"]
    return sorted({*rules, *(each.body - 1 for each in outline.headings if _is_doubtful(outline, each))})


def sections(outline: Outline) -> list[OutlinePoint]:
    """Return the headings of the highest level that has several, with those below them as children."""
    headings = _true_headings(outline)
    levels = sorted({each.level for each in headings})
    level = next((one for one in levels if sum(each.level == one for each in headings) > 1), None)
    if level is None:
        level = levels[-1] if levels else 0
    tops: list[OutlinePoint] = []
    for each in headings:
        each.children = []
        if each.level < level:
            continue
        line = [*tops[-1:]]
        while line and line[-1].children and line[-1].children[-1].level < each.level:
            line.append(line[-1].children[-1])
        if line and line[-1].level < each.level:
            line[-1].children.append(each)
        else:
            tops.append(each)
    return tops
