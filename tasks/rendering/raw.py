"""Lines of a CLI that the app does not know: one folded entry per run, counted by type."""

from __future__ import annotations

from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aitask.lib.formats import icon
from tasks.models import Run
from tasks.rendering.parts import Entry, block, folded, readable

SHOWN_TYPES = 4
"Types that the summary names; the others are in the entry."


def raw_line(entry: Entry) -> SafeString:
    """Return the entry of the run, which stands for all of its lines; or one line that could not be read."""
    if count := entry.data.get("unread"):
        label = f"{count} line{pluralize(count)} of this run could not be read"
        why = format_html('<p class="dim">{}</p>{}', entry.text("why"), block(entry, entry.text("line")))
        return folded("triangle-alert", label, entry.text("why"), why)
    return raw_lines(entry.run, entry.run.raw_lines or {str(entry.data.get("type") or "other"): 1})


def raw_lines(run: Run, counts: dict[str, int]) -> SafeString:
    names = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return format_html(
        '<details class="raw" data-raw="{}"><summary>{}<b>{}</b> <span class="what">{}</span></summary>'
        '<div class="inside"><ul class="plain num">{}</ul>'
        '<p><a href="{}" target="_blank" rel="noopener">Show the lines</a></p></div></details>',
        run.number,
        icon("circle-help", "small"),
        _total(counts),
        _named(names),
        format_html_join("", "<li>{} <code>{}</code></li>", ((n, readable(name)) for name, n in names)),
        reverse("task_raw", args=[run.task_id, run.number]),
    )


def _total(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    return f"{total} line{pluralize(total)} of raw output:"


def _named(names: list[tuple[str, int]]) -> str:
    rest = len(names) - SHOWN_TYPES
    shown = [f"{count} {readable(name)}" for name, count in names[:SHOWN_TYPES]]
    return ", ".join([*shown, *([f"{rest} other type{pluralize(rest)}"] if rest > 0 else [])])
