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
