"""The button beside messages and answers that forks the conversation there."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aitask.lib.formats import icon
from tasks.models import Event, Run
from tasks.rendering.parts import NOTHING


def fork_button(run: Run, event: Event) -> SafeString:
    """Return the button; nothing beside an event at which no CLI can fork."""
    if not _can_fork(run, event):
        return NOTHING
    return format_html(
        '<button class="button quiet tiny icon fork" type="button" data-fork="{}"'
        ' title="Fork from here" aria-label="Fork the conversation from here">{}</button>',
        reverse("task_fork", args=[run.task_id, run.number, event.seq]),
        icon("git-branch", "small"),
    )


def _can_fork(run: Run, event: Event) -> bool:
    if event.kind == "message":  # before the first one of a session there is nothing
        return bool(run.resumes) or event.data.get("by") != "prompt"
    return event.kind == "text" and bool(event.data.get("anchor")) and not event.data.get("parent")
