"""What users send to a form, or as a raw answer to a request that hostkit does not know."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional

from ..wire import Json, RequestEvent
from .forms import HIDDEN_VALUE, SECRET_FORMATS, SECRET_NAME, FormField, NotAForm, fields_of, size_problem
from .forms import problems_of as problems_of_fields
from .json_schema import misfits

RAW_SCHEMA = "requested schema"
"""The field of a form's input with its schema, if it can't be shown as fields: it is answered as JSON."""


def form_fields(request: Mapping[str, Any]) -> Optional[List[FormField]]:
    """Return the fields of a form; None if it can't be shown as fields."""
    if "schema" not in request:
        return None
    try:
        return fields_of(request["schema"], request.get("order"))
    except NotAForm:
        return None


def raw_schema(request: Mapping[str, Any]) -> object:
    """Return the schema of a form that can't be shown as fields."""
    given = request.get("input")
    return given.get(RAW_SCHEMA) if isinstance(given, dict) else None


def form_problems(request: Mapping[str, Any], content: object) -> Dict[str, str]:
    """Return what is wrong with the answer to a form, by field or place; empty if it can be sent."""
    fields = form_fields(request)
    if fields is not None:
        return problems_of_fields(fields, content)
    if not isinstance(content, dict):
        return {"": "The answer must be a JSON object."}
    if problem := size_problem(content):
        return {"": problem}
    return misfits(raw_schema(request), content)


def submission_problem(request: RequestEvent, content: object) -> str:
    """Return why this content is refused, or an empty string."""
    kind = request["request_kind"]
    if kind == "unknown":
        return "" if isinstance(content, dict) else "the answer must be a JSON object"
    if kind != "form":
        return "this request is not a form"
    problems = form_problems(request, content)
    return "; ".join(f"{name}: {problem}" if name else problem for name, problem in problems.items())


def asks_for_secrets(schema: object) -> bool:
    """Whether anything in a schema looks as if it asked for a secret."""
    words = json.dumps(schema)
    marked = any(f'"{name}"' in words for name in SECRET_FORMATS) or '"writeOnly": true' in words
    return marked or bool(SECRET_NAME.search(words))


def secret_names(request: Mapping[str, Any], content: Mapping[str, Any]) -> List[str]:
    """Return the names of the values that are not recorded. Of a raw answer these are all or none."""
    fields = form_fields(request)
    if fields is not None:
        return [field.name for field in fields if field.secret]
    return list(content) if asks_for_secrets(raw_schema(request)) else []


def recorded_content(request: RequestEvent, content: Optional[Json]) -> Optional[Json]:
    """Return the content as the record of the run keeps it: without secrets."""
    if content is None or request["request_kind"] != "form":
        return content
    hidden = secret_names(request, content)
    return {name: HIDDEN_VALUE if name in hidden else value for name, value in content.items()}
