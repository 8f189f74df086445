"""The tasks that a plan run proposes, in the conversation."""

from __future__ import annotations

from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aitask.lib.formats import icon
from tasks.rendering.parts import Entry, readable
from workspaces.hostkit.base import proposals


def proposed(entry: Entry) -> SafeString:
    """Return the list of titles with their order, and the way to the page on which they are created."""
    items = proposals.read(entry.data.get("items")).items
    rows = format_html_join(
        "",
        "<li>{}{}</li>",
        ((readable(item["title"]), _after(item["after"])) for item in items),
    )
    url = f"{reverse('plan')}?run={entry.run.pk}"
    link = format_html(
        '<p><a class="button primary" href="{}">{}Check and create {} task{}…</a></p>',
        url,
        icon("list"),
        len(items),
        pluralize(len(items)),
    )
    return format_html('<div class="proposed"><b>Proposed tasks</b><ol>{}</ol>{}</div>', rows, link)


def _after(indexes: list[int]) -> SafeString:
    if not indexes:
        return SafeString("")
    numbers = ", ".join(str(index + 1) for index in indexes)
    return format_html(' <span class="dim">after {}</span>', numbers)


def is_answer(entry: Entry) -> bool:
    """Whether a text is the data of a plan run's answer, which is shown as proposed tasks."""
    return entry.run.is_plan and str(entry.data.get("text") or "").lstrip().startswith("{")
