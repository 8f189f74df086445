"""The words by which a text says that one point comes after others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NUMBERS = r"(?:(?:points?|tasks?|steps?|no\.?)\s+)?#?\d{1,4}(?:\s*(?:,|and|&|\+)\s*(?:and\s+)?#?\d{1,4})*"
WORDS = r"(?:after|depends on|needs|requires|blocked by)"
IN_BRACKETS = re.compile(rf"[(\[]\s*{WORDS}\s*:?\s+({NUMBERS})\s*[)\]]", re.IGNORECASE)
ON_A_LINE = re.compile(
    rf"^[ \t]*(?:[-*+][ \t]+)?{WORDS}\s*:?[ \t]+({NUMBERS})\.?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)


class Reference(NamedTuple):
    """A number of another point, as it is written."""

    number: int


def without_references(line: str) -> str:
    """Return a line without what it says in brackets about its order."""
    return IN_BRACKETS.sub("", line).strip()


def references_in(text: str) -> Iterator[Reference]:
    """Yield the numbers in “(after 2 and 3)”, or on a line of its own, “After: 2, 3”; not those in code."""
    prose = FENCE.sub("", text)
    for pattern in (IN_BRACKETS, ON_A_LINE):
        for match in pattern.finditer(prose):
            yield from (Reference(int(number)) for number in re.findall(r"\d+", match[1]))
