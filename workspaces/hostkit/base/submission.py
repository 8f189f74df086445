"""What users send to a form, or as a raw answer to a request that hostkit does not know."""

from __future__ import annotations

from typing import Optional

from ..wire import Json, RequestEvent
from .forms import NotAForm, fields_of, problems_of, recorded


def submission_problem(request: RequestEvent, content: object) -> str:
    """Return why this content is refused, or an empty string."""
    kind = request["request_kind"]
    if kind == "unknown":
        return "" if isinstance(content, dict) else "the answer must be a JSON object"
    if kind != "form":
        return "this request is not a form"
    if "schema" not in request:
        return "this form can't be shown: decline or cancel it"
    try:
        problems = problems_of(fields_of(request["schema"], request.get("order")), content)
    except NotAForm as why:
        return f"this form can't be filled in: {why}"
    return "; ".join(f"{name}: {problem}" if name else problem for name, problem in problems.items())


def recorded_content(request: RequestEvent, content: Optional[Json]) -> Optional[Json]:
    """Return the content as the record of the run keeps it: without secrets."""
    if content is None or request["request_kind"] != "form":
        return content
    try:
        return recorded(fields_of(request.get("schema"), request.get("order")), content)
    except NotAForm:
        return None
