"""The template tags of `formats`, and the badges of states."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.forms import BaseForm
from django.utils import timezone
from django.utils.html import format_html, format_html_join
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
for _tag in (formats.vendor, formats.icon, formats.badge, formats.ago, formats.at, formats.elapsed):
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


@register.simple_tag
def shortcut(keys: str, does: str) -> SafeString:
    """A row of the list of keys: `{% shortcut "g b" "to the board" %}`."""
    pressed = format_html_join(" ", "<kbd>{}</kbd>", ((key,) for key in keys.split()))
    return format_html("<div><dt>{}</dt><dd>{}</dd></div>", pressed, does)


@register.simple_tag
def copy_button(text: str, label: str) -> SafeString:
    """A button that copies a text to the clipboard."""
    return format_html(
        '<button class="button quiet tiny icon" type="button" data-copy="{}" aria-label="{}">{}</button>',
        text,
        label,
        icon("copy", "small"),
    )


@register.simple_tag
def field_errors(form: BaseForm | str, prefix: str, name: str) -> SafeString:
    """What is wrong with a field that the template draws itself; nothing where there is no form."""
    field = f"{prefix}{name}"
    errors = form[field].errors if isinstance(form, BaseForm) and field in form.fields else []
    return format_html_join("", '<span class="error">{}</span>', ((error,) for error in errors))
