"""Two people who edit one task: whose values are saved, and what the second one is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.editing import EDITABLE
from tasks.models import Task

LABELS = {
    "title": "Title",
    "prompt": "Prompt",
    "backend": "CLI",
    "model": "Model",
    "reasoning_effort": "Effort",
    "permission_mode": "Permissions",
    "labels": "Labels",
    "priority": "Priority",
    "after": "After",
    "after_until": "Until they are",
    "base_branch": "Start from branch",
}


@dataclass(frozen=True)
class EditConflict:
    """A field that somebody else has changed, too, and the value that is saved now."""

    name: str
    label: str
    saved: str

    @property
    def is_text(self) -> bool:
        """Whether its value can be put into the form's field as it is."""
        return self.name in ("title", "prompt")


def shown_values(task: Task) -> str:
    """Return the values that a form shows, which it sends back with what the user has made of them."""
    return json.dumps({name: _as_text(getattr(task, name)) for name in EDITABLE})


def merge_edits(task: Task, shown: str, mine: Mapping[str, Any]) -> tuple[dict[str, Any], list[EditConflict]]:
    """Return the fields to save, and those that both have changed since the form was shown.

    A field that this user has left alone keeps its current value. Without `shown`, all of `mine` is saved.
    """
    before = _parsed(shown)
    values: dict[str, Any] = {}
    conflicts: list[EditConflict] = []
    for name, value in mine.items():
        current = getattr(task, name)
        was = before.get(name, current)
        if name in before and _is_same(value, was):
            continue
        values[name] = value
        if not _is_same(current, was) and not _is_same(current, value):
            conflicts.append(EditConflict(name, LABELS[name], _as_text(current)))
    return values, conflicts


def _parsed(shown: str) -> dict[str, str]:
    try:
        found = json.loads(shown)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _is_same(left: Any, right: Any) -> bool:
    """Compare as a form sends texts: with other line breaks, and without spaces around them."""
    return _normal(_as_text(left)) == _normal(_as_text(right))


def _as_text(value: Any) -> str:
    """Return a value of a field as its form shows it."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
