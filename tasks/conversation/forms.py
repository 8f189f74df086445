"""Forms of MCP servers as HTML, and what users have filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict

from aitask.lib.errors import InvalidFields, Refused
from aitask.lib.text import storable
from tasks.rendering.parts import readable
from workspaces.hostkit.base import forms, submission

LONG = 200
"Characters from which on a text has a field of several lines."
INPUT_TYPES = {"email": "email", "uri": "url", "date": "date"}
KEYBOARDS = {"integer": "numeric", "number": "decimal"}
EXAMPLES = {"date-time": "2026-01-31T14:30:00Z"}


@dataclass(frozen=True)
class ShownOption:
    """A value as the page sends it, and whether it is chosen at first."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ShownFormField:
    """One field, for a template. `name` is that of the HTML form, which no server has chosen."""

    field: forms.FormField
    name: str

    @property
    def kind(self) -> str:
        return self.field.kind

    @property
    def label(self) -> str:
        return self.field.label

    @property
    def required(self) -> bool:
        return self.field.required and self.field.kind != "boolean"

    @property
    def has_help(self) -> bool:
        return bool(self.field.description or self.limits)

    @property
    def is_long(self) -> bool:
        most, text = self.field.most, str(self.field.default or "")
        plain = self.kind == "text" and not self.field.secret and self.field.format not in INPUT_TYPES
        return plain and ((most is not None and most > LONG) or "\n" in text or len(text) > LONG)

    @property
    def input_type(self) -> str:
        return "password" if self.field.secret else INPUT_TYPES.get(self.field.format, "text")

    @property
    def keyboard(self) -> str:
        return KEYBOARDS.get(self.kind, "")

    @property
    def placeholder(self) -> str:
        return EXAMPLES.get(self.field.format, "")

    @property
    def value(self) -> str:
        return "" if self.field.default is None else str(self.field.default)

    @property
    def is_on(self) -> bool:
        return self.field.default is True

    @property
    def options(self) -> list[ShownOption]:
        default = self.field.default
        chosen = default if isinstance(default, list) else [default]
        return [ShownOption(str(each.value), each.label, each.value in chosen) for each in self.field.options]

    @cached_property
    def limits(self) -> str:
        """What a value must be, in words."""
        field = self.field
        unit = {"text": " characters", "choices": " options"}.get(self.kind, "")
        words = [
            "" if field.least is None else f"at least {field.least:g}",
            "" if field.most is None else f"at most {field.most:g}",
            "" if field.above is None else f"more than {field.above:g}",
            "" if field.below is None else f"less than {field.below:g}",
        ]
        found = ", ".join(filter(None, words))
        pattern = f"matches {field.pattern[:LONG]}" if field.pattern else ""
        return "; ".join(filter(None, (f"{found}{unit}" if found else "", pattern)))


def fields_of(request: Mapping[str, Any]) -> list[forms.FormField] | None:
    """Return the fields of an open request; None if it is no form, or can't be shown as one."""
    return submission.form_fields(request) if request.get("kind") == "form" else None


def is_raw(request: Mapping[str, Any]) -> bool:
    """Whether it is a form that is answered as JSON, because it can't be shown as fields."""
    return request.get("kind") == "form" and fields_of(request) is None


def shown_fields(request: Mapping[str, Any]) -> list[ShownFormField] | None:
    """Return the fields for a template; None as in `fields_of`."""
    fields = fields_of(request)
    return None if fields is None else [ShownFormField(each, f"field-{at}") for at, each in enumerate(fields)]


def posted(request: Mapping[str, Any], post: QueryDict) -> dict[str, Any]:
    """Return the values that a page has sent."""
    typed = {
        each.field.name: [_lines(text) for text in post.getlist(each.name)]
        for each in shown_fields(request) or []
    }
    return forms.content_of(fields_of(request) or [], typed)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def as_submission(request: Mapping[str, Any], command: dict[str, Any]) -> dict[str, Any]:
    """Return a command about a form as the runner reads it.

    Answers by field, as texts, are its content. Allowing it without any is content, too: an empty one.
    """
    if request.get("kind") != "form" or command["command"] not in ("answer", "approve"):
        return command
    given: Mapping[str, Sequence[str]] = {
        name: value if isinstance(value, list) else [str(value)]
        for name, value in (command.get("answers") or {}).items()
    }
    fields = fields_of(request) or []
    if is_raw(request):
        given = command.get("answers") or {}
    unknown = {name: values for name, values in given.items() if name not in {each.name for each in fields}}
    content = {**forms.content_of(fields, given), **unknown} if command["command"] == "answer" else {}
    kept = {name: command[name] for name in ("digest",) if name in command}
    return {"command": "submit", "content": content, **kept}


def check(request: Mapping[str, Any], content: Any) -> None:
    """Raise InvalidFields if this is no answer to the form, Refused if it has no form to answer."""
    if request.get("kind") == "unknown":
        if not isinstance(content, dict):
            raise Refused("The answer must be a JSON object.")
        return
    if request.get("kind") != "form":
        raise Refused("This is not a form.")
    if problems := submission.form_problems(request, content):
        raise InvalidFields("The form is not filled in correctly.", problems)


def secrets_of(request: Mapping[str, Any], command: Mapping[str, Any]) -> list[str]:
    """Return the names of secret values in the answer to a form, and the ids of secret questions."""
    content = command.get("content")
    is_form = request.get("kind") == "form" and isinstance(content, dict)
    names = submission.secret_names(request, content or {}) if is_form else []
    questions = [each for each in request.get("questions") or [] if isinstance(each, dict)]
    return [*names, *(str(each.get("id")) for each in questions if each.get("secret") is True)]


def without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a delivered answer without the values of its `secret` fields."""
    kept = {name: value for name, value in payload.items() if name != "secret"}
    for part in ("content", "answers"):
        if isinstance(kept.get(part), dict):
            hidden = dict.fromkeys(set(payload["secret"]) & set(kept[part]), forms.HIDDEN_VALUE)
            kept[part] = {**kept[part], **hidden}
    return kept


def names_on_page(request: Mapping[str, Any], problems: Mapping[str, str]) -> dict[str, str]:
    """Return problems by the names that the fields have on the page."""
    if is_raw(request):
        lines = [f"{place}: {text}" if place else text for place, text in problems.items()]
        return {"": readable(storable("\n".join(lines)))}
    shown = {each.field.name: each.name for each in shown_fields(request) or []}
    return {shown.get(name, ""): readable(storable(text)) for name, text in problems.items()}
