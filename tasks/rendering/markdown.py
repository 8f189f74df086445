"""Markdown of agents as safe HTML: no raw HTML, no scripts, no remote images."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from aitask.lib import helper

MAX_MARKDOWN = 200_000
"Characters of a longer text are shown as they are."


def render(text: str) -> SafeString:
    """Return safe HTML of a Markdown text; the text itself if parsing takes too long."""
    html = helper.ask("markdown", text) if len(text) <= MAX_MARKDOWN else None
    if html is None:
        return format_html('<p class="said">{}</p>', text)
    return mark_safe(str(html))  # noqa: S308 - the helper has cleaned it


def compare(old: str, new: str) -> list[str]:
    """Return the lines of a unified diff of two texts; all lines of both if comparing takes too long."""
    lines = helper.ask("difference", old, new)
    if lines is None:
        return [*(f"-{line}" for line in old.splitlines()), *(f"+{line}" for line in new.splitlines())]
    return [str(line) for line in lines]
