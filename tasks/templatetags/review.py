"""What cards show of reviews, read once for the whole board."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aitask.templatetags.ui import icon
from tasks.models import Task
from tasks.review import queries
from tasks.review.models import Radar, Verdict

register = template.Library()
LABELS = {
    Verdict.Kind.ACCEPTED.value: ("accepted", "good"),
    Verdict.Kind.MERGED.value: ("merged", "good"),
    Verdict.Kind.DROPPED.value: ("dropped", ""),
}


@register.simple_tag(takes_context=True)
def review_marks(context: RequestContext, task: Task) -> SafeString:
    """The verdict about a task, and which others touch the same places; empty when there is none."""
    marks = _marks(context)
    parts = []
    kind = marks["verdicts"].get(task.pk)
    if kind in LABELS:
        label, css = LABELS[kind]
        parts.append(format_html('<span class="badge {}">{}{}</span>', css, icon("check", "small"), label))
    found: list[queries.Overlap] = marks["overlaps"].get(task.pk, [])
    if found and task.status != Task.Status.DONE:
        parts.append(_overlap(found))
    return (
        format_html('<p class="meta small">{}</p>', format_html_join(" ", "{}", ((p,) for p in parts)))
        if parts
        else SafeString("")
    )


def _overlap(found: list[queries.Overlap]) -> SafeString:
    """One mark, with the tasks and files in its title."""
    conflicts = sum(bool(overlap.conflicts) for overlap in found)
    lines = [f"#{o.task}: {', '.join((o.conflicts or o.files)[:3])}" for o in found[:5]]
    words = f"conflicts with {conflicts}" if conflicts else f"shares files with {len(found)}"
    css = "needs" if conflicts else ""
    return format_html(
        '<span class="badge {}" title="{}">{}{}</span>',
        css,
        "\n".join(lines),
        icon("git-branch", "small"),
        words,
    )


def _marks(context: RequestContext) -> dict[str, Any]:
    """Two queries for a page, whatever the number of its cards."""
    request = context["request"]
    if not hasattr(request, "review_marks"):
        request.review_marks = {
            "verdicts": dict(Verdict.objects.values_list("task", "kind")),
            "overlaps": queries.from_radars(Radar.objects.all(), {}),
        }
    marks: dict[str, Any] = request.review_marks
    return marks
