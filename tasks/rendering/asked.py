"""What agents and MCP servers have asked besides approvals, and what was answered, in the conversation."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from tasks.rendering import inputs
from tasks.rendering.parts import NOTHING, Entry, block
from workspaces.hostkit.base import forms


def questions_of(entry: Entry) -> SafeString:
    """Return the questions of a text that the agent does not wait for. Their options fill the message box."""
    found = entry.data.get("questions")
    asked = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return SafeString(render_to_string("tasks/_questions.html", {"questions": asked})) if asked else NOTHING


def labels_of(entry: Entry) -> list[str]:
    """Return how the fields of a form are called."""
    if "schema" not in entry.data:
        return []
    try:
        fields = forms.fields_of(entry.data["schema"], entry.data.get("order"))
    except forms.NotAForm:
        return []
    return [field.label for field in fields]


def content_of(entry: Entry) -> SafeString:
    """Return what was filled in, as it was recorded."""
    content: Any = entry.data.get("content")
    return (
        block(entry, inputs.as_text(content), "input") if isinstance(content, dict) and content else NOTHING
    )
