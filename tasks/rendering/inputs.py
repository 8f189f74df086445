"""The input of a tool call, field by field: everything that it has, in the order of what matters.

What a page shows of a field, read back by `escapes.unescape`, is the field's exact text. A change of a text
is shown as a comparison of all its lines: those with `-` or space are the old text, those with `+` or space
the new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from aitask.lib import helper
from tasks.rendering.parts import marked
from workspaces.hostkit.escapes import visible

PREVIEW, PREVIEW_LINES = 1_200, 12
"Characters and lines of a long field that are shown before it is opened."
SHORT = 90
"Characters up to which a value stands beside its name."
FIRST = ("command", "file_path", "notebook_path", "path", "url", "query", "pattern", "prompt")
"Fields that say most of a call, so that they are shown before the others."
CLASSES = {"+": "add", "-": "del", " ": ""}
Row = tuple[str, str]
"A line of a comparison: its sign (`+`, `-` or a space) and its text."


@dataclass(frozen=True)
class ShownField:
    """One field of an input."""

    name: str
    text: str = ""
    "The value; as JSON if it is no text."
    rows: tuple[Row, ...] = ()
    "The lines of a comparison, in place of a text."
    cut: int = 0
    "Number of characters that are left out."

    @property
    def size(self) -> int:
        return sum(len(text) + 1 for _, text in self.rows) or len(self.text)

    @property
    def lines(self) -> int:
        return len(self.rows) or self.text.count("\n") + 1

    @property
    def cut_words(self) -> str:
        return f"{self.cut:,}"

    @property
    def is_short(self) -> bool:
        """Whether it fits beside its name."""
        return not self.rows and not self.cut and self.lines == 1 and len(self.text) <= SHORT

    @property
    def css(self) -> str:
        return "diff" if self.rows else ""

    @property
    def is_command(self) -> bool:
        return self.name == "command"

    @property
    def label(self) -> SafeString:
        return marked(self.name)

    @property
    def html(self) -> SafeString:
        """The exact text as safe HTML."""
        if not self.rows:
            return marked(self.text)
        shown = ((CLASSES[sign], sign, marked(text)) for sign, text in self.rows)
        return format_html_join("", '<span class="{}">{}{}\n</span>', shown)

    def start(self) -> ShownField:
        """Return its first lines: as much as fits a preview."""
        if self.size <= PREVIEW and self.lines <= PREVIEW_LINES:
            return self
        if not self.rows:
            text = "\n".join(self.text[:PREVIEW].split("\n")[:PREVIEW_LINES])
            return replace(self, text=text, cut=self.size - len(text))
        rows = tuple((sign, text[: PREVIEW // PREVIEW_LINES]) for sign, text in self.rows[:PREVIEW_LINES])
        return replace(self, rows=rows, cut=self.size - sum(len(text) + 1 for _, text in rows))


def fields_of(given: Any) -> list[ShownField]:
    """Return all fields of an input, the most important ones first; empty if there is none."""
    if given is None or given in ("", {}, []):
        return []
    if not isinstance(given, dict):
        return [_field("input", given)]
    rest = {str(name): value for name, value in given.items()}
    found = [_field(name, rest.pop(name)) for name in FIRST if name in rest]
    return [*found, *_written(rest, given), *(_field(name, value) for name, value in rest.items())]


def _written(rest: dict[str, Any], given: dict[str, Any]) -> Iterator[ShownField]:
    """Yield what the call writes, and remove it from `rest`."""
    old, new = rest.get("old_string"), rest.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        del rest["old_string"], rest["new_string"]
        yield ShownField("old_string → new_string", rows=tuple(compared(old, new)))
    if isinstance(rest.get("content"), str) and "file_path" in given:
        yield ShownField("content", rows=tuple(("+", line) for line in rest.pop("content").split("\n")))
    if isinstance(rest.get("changes"), list) and all(isinstance(each, dict) for each in rest["changes"]):
        changes = rest.pop("changes")
        for number, change in enumerate(changes, 1):
            yield from _change(f"{number}. " if len(changes) > 1 else "", change)


def _change(prefix: str, change: dict[str, Any]) -> Iterator[ShownField]:
    """Yield the fields of Codex's change of one file: {path, kind: {type}, diff}."""
    rest = {str(name): value for name, value in change.items()}
    diff = rest.pop("diff", None)
    kind = rest.get("kind")
    kind = kind.get("type") if isinstance(kind, dict) else kind
    for name, value in rest.items():
        yield _field(f"{prefix}{name}", value)
    if isinstance(diff, str) and kind in ("add", "delete"):
        sign = "+" if kind == "add" else "-"
        yield ShownField(f"{prefix}diff", rows=tuple((sign, line) for line in diff.split("\n")))
    elif diff is not None:
        yield _field(f"{prefix}diff", diff)


def compared(old: str, new: str) -> list[Row]:
    """Return all lines of both texts as a comparison; one after the other if comparing takes too long."""
    rows = helper.ask("difference", old, new)
    if rows is not None:
        return [(sign, line) for sign, line in rows]
    return [*(("-", line) for line in old.split("\n")), *(("+", line) for line in new.split("\n"))]


def _field(name: str, value: Any) -> ShownField:
    return ShownField(name, value if isinstance(value, str) else as_json(value))


def as_json(value: Any) -> str:
    """Return a value as JSON, in one line if it is short."""
    try:
        flat = json.dumps(value, ensure_ascii=False)
        return flat if len(flat) <= SHORT else json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:
        return "(nested too deeply to be shown)"


def as_text(given: Any) -> str:
    """Return an input as text: a command as it is typed, everything else with its name."""
    found = fields_of(given)
    parts = [_with_name(field, alone=len(found) == 1) for field in found]
    return "\n".join(parts)


def _with_name(field: ShownField, *, alone: bool) -> str:
    text = "\n".join(sign + line for sign, line in field.rows) or field.text
    if field.is_command or (alone and field.name == "input"):
        return visible(text)
    return f"{visible(field.name)}:{' ' if field.lines == 1 else chr(10)}{visible(text)}"
