"""The last route, for unknown paths."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router
from ninja.errors import HttpError

router = Router()
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_operation(METHODS, "/{path:rest}", include_in_schema=False)
def no_such_call(request: HttpRequest, rest: str) -> None:  # noqa: ARG001
    """Return 404 as JSON, instead of Django's page."""
    raise HttpError(404, f"There is no {request.method} {request.path}. See /api/docs.")
