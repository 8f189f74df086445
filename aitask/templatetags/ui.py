"""Template tags and filters: those of `formats`, and some for whole elements."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.forms import BaseForm
from django.template import Context, RequestContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aitask import help_pages
from aitask.lib import formats, typed_commands
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
    """Render how long a busy agent has been silent; hidden for the first SILENT_MINUTES."""
    if since is None:
        return SafeString("")
    seconds, limit = (timezone.now() - since).total_seconds(), 60 * settings.SILENT_MINUTES
    return format_html(
        '<span class="silent small" data-silent="{}" data-after="{}"{} title="{}">Silent for {} min</span>',
        since.isoformat(),
        limit,
        SafeString("" if seconds >= limit else " hidden"),
        "The agent may be thinking, waiting for a command, or hanging. It isn't stopped automatically.",
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
    """Render the icon of a column of the board."""
    return icon(COLUMN_ICONS[status], f"col-{status}")


@register.simple_tag(takes_context=True)
def help_url(context: Context) -> str:
    """Return the address of the help about the page that is shown."""
    match = getattr(context.get("request"), "resolver_match", None)
    document = help_pages.document_for(match.url_name or "") if match else ""
    return reverse("help_document", args=[document]) if document else reverse("help")


@register.simple_tag
def shortcut(keys: str, does: str) -> SafeString:
    """Render a row of the keyboard shortcuts: `{% shortcut "g b" "to the board" %}`."""
    pressed = format_html_join(" ", "<kbd>{}</kbd>", ((key,) for key in keys.split()))
    return format_html("<div><dt>{}</dt><dd>{}</dd></div>", pressed, does)


@register.simple_tag
def copy_button(text: str, label: str) -> SafeString:
    """Render a button that copies a text to the clipboard."""
    return format_html(
        '<button class="button quiet tiny icon" type="button" data-copy="{}" aria-label="{}">{}</button>',
        text,
        label,
        icon("copy", "small"),
    )


@register.simple_tag(takes_context=True)
def fix_link(context: RequestContext, terminal: str, command: str) -> SafeString:
    """Render a link that types a command into a terminal; without one, a button that copies the command."""
    address = typed_commands.link(terminal, command, context["request"].user)
    if not address:
        return format_html(
            '<button class="button tiny" type="button" data-copy="{}">{}Copy the command</button>',
            command,
            icon("copy", "small"),
        )
    return format_html(
        '<a class="button tiny" href="{}" target="_blank" rel="noopener" title="Types {}">{}{}</a>',
        address,
        command,
        icon("terminal", "small"),
        "Fix in a terminal",
    )


@register.simple_tag
def field_errors(form: BaseForm | str, prefix: str, name: str) -> SafeString:
    """Render the errors of a field that the template renders itself; nothing if there is no form."""
    field = f"{prefix}{name}"
    errors = form[field].errors if isinstance(form, BaseForm) and field in form.fields else []
    return format_html_join("", '<span class="error" role="alert">{}</span>', ((error,) for error in errors))
