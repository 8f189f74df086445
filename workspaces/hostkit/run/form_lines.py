"""Filling in a form at the keyboard: one field after the other, one line each."""

from __future__ import annotations

import json
from typing import Dict, List, Optional

from ..base.forms import FormField, FormOption, NotAForm, content_of, fields_of, problems_of
from ..escapes import visible
from ..wire import Json, RequestEvent

SECRET = "it asks for a secret, which would be seen here: fill it in in the browser"
KINDS = {"integer": "a whole number", "number": "a number", "boolean": "yes or no"}


class FormLines:
    """The form of one request, as far as it is filled in."""

    def __init__(self, request: RequestEvent) -> None:
        self.request = request["id"]
        self.fields = fields_of(request.get("schema"), request.get("order"))
        self._typed: Dict[str, List[str]] = {}
        self._at = 0
        if any(field.secret for field in self.fields):
            raise NotAForm(SECRET)

    @property
    def field(self) -> Optional[FormField]:
        """The field that is asked for; None if all are filled in."""
        return self.fields[self._at] if self._at < len(self.fields) else None

    @property
    def content(self) -> Json:
        return content_of(self.fields, self._typed)

    def prompt(self) -> str:
        """Return the question for the current field."""
        field = self.field
        assert field is not None
        must = "required" if field.required else "may be empty"
        if field.default is not None:
            must = f"empty: {visible(_as_text(field.default))}"
        head = f"{visible(field.label)} ({', '.join(filter(None, (KINDS.get(field.kind, ''), must)))})"
        lines = [head, *filter(None, [visible(field.description)])]
        lines += [f"  {number}  {visible(each.label)}" for number, each in enumerate(field.options, 1)]
        if field.options:
            lines.append("  " + ("a number, or several" if field.kind == "choices" else "a number"))
        return "\n".join(lines)

    def take(self, line: str) -> str:
        """Take a line for the current field. Return what is wrong with it; empty if the next field is due."""
        field = self.field
        assert field is not None
        texts = _texts(field, line)
        given = {field.name: texts} if texts else {}
        value = content_of([field], given)
        problem = problems_of([field], value).get(field.name, "")
        if problem:
            return problem
        self._typed.update(given)
        self._at += 1
        return ""


def _texts(field: FormField, line: str) -> List[str]:
    """Return what was typed as the values of a form: numbers of options become the options."""
    if not line:
        default = field.default if isinstance(field.default, list) else [field.default]
        return [] if field.default is None else [_as_text(each) for each in default]
    if field.kind == "choices":
        return [_named(field.options, word) for word in line.replace(",", " ").split()]
    return [_named(field.options, line)] if field.options else [line]


def _named(options: "tuple[FormOption, ...]", word: str) -> str:
    at = int(word) if word.isdigit() and len(word) < 6 else 0
    return str(options[at - 1].value) if 0 < at <= len(options) else word


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
