"""Filters for text that an agent could have written: whatever a reader would not see becomes an escape."""

from __future__ import annotations

from typing import Any

from django import template

from tasks.rendering import parts

register = template.Library()
register.filter(parts.readable)


@register.filter
def visible(text: Any) -> str:
    """Return safe HTML, in which escapes are marked. Attributes need `readable` in its place."""
    return parts.marked(str(text if text is not None else ""))
