"""Filters for text that an agent could have written: whatever a reader would not see becomes an escape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template

from tasks.rendering import parts

register = template.Library()
register.filter(parts.readable)


@register.filter
def visible(text: Any) -> str:
    """Return safe HTML, in which escapes are marked. Attributes need `readable` in its place."""
    return parts.marked(str(text if text is not None else ""))


SIDES = (("<<<<<<<", "ours"), ("|||||||", "base"), ("=======", "theirs"), (">>>>>>>", ""))


@register.filter
def conflict_lines(hunk: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a conflicting hunk, each with what it is: ours, base, theirs or marker."""
    side = ""
    for line in hunk.split("\n"):
        begun = next((name for marker, name in SIDES if line.startswith(marker)), None)
        side = side if begun is None else begun
        yield side if begun is None else "marker", line
