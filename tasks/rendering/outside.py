"""What a change outside a run's branch and worktree is called in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.defaultfilters import pluralize

from tasks.models import OutsideChange
from workspaces.hostkit.escapes import visible

WHILE = "while this run was going on"
SHOWN = 5


def of_event(data: Mapping[str, Any]) -> str:
    """Return the sentence about an `outside` event of a run."""
    fields = ("name", "old", "new", "paths", "more", "by_run")
    given = {name: data[name] for name in fields if data.get(name)}
    return in_words(OutsideChange(kind=str(data.get("change") or ""), **given))


def in_words(change: OutsideChange) -> str:
    """Return what has changed, without saying who did it."""
    if change.kind == OutsideChange.Kind.BRANCH:
        return _branch(change)
    if change.kind == OutsideChange.Kind.HEAD:
        old, new = visible(change.old), visible(change.new)
        return f"{visible(change.name)} was switched from {old} to {new} {WHILE}."
    names = ", ".join(visible(path) for path in change.paths[:SHOWN])
    rest = len(change.paths) - SHOWN + change.more
    names += f" and {rest} more" if rest > 0 else ""
    if change.kind == OutsideChange.Kind.CONFIG:
        return f"Git settings or hooks of the repository changed {WHILE}: {names}."
    count = len(change.paths) + change.more
    text = f"{count} file{pluralize(count)} in {visible(change.name)} changed {WHILE}: {names}."
    return f"{text} A tool call of the run named {pluralize(count, 'it,them')}." if change.by_run else text


def _branch(change: OutsideChange) -> str:
    name, old, new = visible(change.branch), change.old[:10], change.new[:10]
    if not new:
        return f"The branch {name} was deleted {WHILE}. It was at {old}."
    how = "outside a merge train " if change.pk else ""  # events do not know about merge trains
    return f"{name} was moved {how}{WHILE}: {old}..{new}."
