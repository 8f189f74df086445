"""Attached files in templates."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.attachments.posted import as_field
from tasks.models import Attachment

register = template.Library()


@register.simple_tag
def attached_field(rows: Iterable[Attachment] | None) -> str:
    return as_field(rows or ())


@register.simple_tag
def attach_limits() -> SafeString:
    return format_html(
        'data-most="{}" data-most-mb="{}"', settings.ATTACHMENT_BYTES, settings.ATTACHMENT_BYTES >> 20
    )


@register.simple_tag
def attach_limit_words() -> str:
    most, task = settings.ATTACHMENT_BYTES >> 20, settings.TASK_ATTACHMENTS_BYTES >> 20
    return f"At most {most} MB a file, {task} MB a task."


@register.simple_tag
def shown_files(rows: Iterable[Attachment]) -> str:
    """Return the files as pictures and links; empty if there are none."""
    found = list(rows)
    return render_to_string("tasks/_files.html", {"files": found}) if found else ""
