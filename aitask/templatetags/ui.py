"""The template tags of `formats`, and the badges of states."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aitask.lib import formats
from aitask.lib.formats import icon

register = template.Library()
for _filter in (
    formats.with_code,
    formats.short_number,
    formats.money,
    formats.percent_of,
    formats.with_times,
):
    register.filter(_filter)
for _tag in (formats.vendor, formats.icon, formats.ago, formats.at, formats.elapsed):
    register.simple_tag(_tag)


@register.simple_tag
def silent(since: datetime | None) -> SafeString:
    """Says that a busy agent has been silent for so long; hidden until SILENT_MINUTES are over."""
    if since is None:
        return SafeString("")
    seconds, limit = (timezone.now() - since).total_seconds(), 60 * settings.SILENT_MINUTES
    return format_html(
        '<span class="silent small" data-silent="{}" data-after="{}"{} title="{}">Silent for {} min</span>',
        since.isoformat(),
        limit,
        SafeString("" if seconds >= limit else " hidden"),
        "Nothing was heard of its agent since. It may think, wait for a command, or hang; it is let alone.",
        int(seconds // 60),
    )


BADGE_ICONS = {
    "starting": "loader-circle",
    "working": "loader-circle",
    "needs you": "hand",
    "finished": "circle-check",
    "cancelled": "circle-slash",
    "cancelling": "loader-circle",
    "link lost": "cloud-off",
    "lost": "unplug",
    "login refused": "key-round",
    "limit reached": "gauge",
}


@register.simple_tag
def badge(text: str, kind: str, css: str = "") -> SafeString:
    """A state in a word, told by icon as well as by colour."""
    sign = BADGE_ICONS.get(text, "circle-x" if kind == "bad" else "circle-dot")
    return format_html('<span class="badge {} {}">{}{}</span>', kind, css, icon(sign, "small"), text)


COLUMN_ICONS = {
    "backlog": "circle-dashed",
    "queued": "clock",
    "running": "circle-play",
    "review": "eye",
    "done": "circle-check",
}


@register.simple_tag
def column_icon(status: str) -> SafeString:
    """The sign of a column of the board."""
    return icon(COLUMN_ICONS[status], f"col-{status}")
