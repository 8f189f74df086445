"""Results of a search: `{% marked_text pieces %}`."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def marked_text(pieces: Iterable[tuple[str, bool]]) -> SafeString:
    """Render a hostile text in which the words that were found are marked."""
    shown = (format_html("<mark>{}</mark>", text) if found else text for text, found in pieces)
    return format_html_join("", "{}", ((piece,) for piece in shown))
