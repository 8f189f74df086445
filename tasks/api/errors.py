"""Errors as JSON: a sentence in `detail`, and what to do about it in `hint`."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError

from aitask.lib import columns
from aitask.lib.errors import InvalidFields, Refused
from aitask.lib.untrusted_json import MAX_DEPTH, TooDeep

log = logging.getLogger(__name__)


def add_handlers(api: NinjaAPI) -> None:
    """Turn exceptions into JSON responses; unexpected ones are logged."""

    def answer(request: HttpRequest, status: int, detail: str, hint: str = "") -> HttpResponse:
        body = {"detail": detail, **({"hint": hint} if hint else {})}
        return api.create_response(request, body, status=status)

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, error.status, error.reason, error.hint)

    @api.exception_handler(InvalidFields)
    def invalid_fields(request: HttpRequest, error: Any) -> HttpResponse:
        found = [
            {"type": "value_error", "loc": ["body", "content", *filter(None, [name])], "msg": text}
            for name, text in error.fields.items()
        ]
        return api.create_response(request, {"detail": found, "hint": error.reason}, status=error.status)

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, 422, message_of(error))

    @api.exception_handler(PermissionDenied)
    def denied(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, 403, str(error) or "You don't have permission to do this.")

    @api.exception_handler(Http404)
    def unknown(request: HttpRequest, _error: Any) -> HttpResponse:
        return answer(request, 404, "Not found, or you don't have access.")

    @api.exception_handler(RequestDataTooBig)
    def too_big(request: HttpRequest, _error: Any) -> HttpResponse:
        limit = f"{settings.MAX_REQUEST_BYTES / 1_000_000:g} MB"
        return answer(request, 413, "The request body is too large.", f"The maximum is {limit}.")

    @api.exception_handler(HttpError)
    def refused_by_ninja(request: HttpRequest, error: Any) -> HttpResponse:
        too_deep = isinstance(error.__cause__, TooDeep)
        hint = f"The maximum is {MAX_DEPTH} levels of lists and objects." if too_deep else ""
        return answer(request, error.status_code, str(error), hint)

    @api.exception_handler(AuthenticationError)
    def unauthorized(request: HttpRequest, error: Any) -> HttpResponse:
        response = answer(request, 401, str(error))
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(DatabaseError)
    @api.exception_handler(InterfaceError)
    def outage(request: HttpRequest, error: Any) -> HttpResponse:
        if not columns.is_outage(error):
            return broken(request, error)
        log.error("%s %s failed: the database can't be used: %s", request.method, request.path, error)
        return answer(request, 503, columns.AWAY, columns.AWAY_HINT)

    @api.exception_handler(Exception)
    def broken(request: HttpRequest, error: Any) -> HttpResponse:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return answer(request, 500, "Internal server error.", "The log of the web process has the details.")


def message_of(error: ValidationError) -> str:
    """Return all messages of the error, each with the name of its field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = error.message_dict.items()
    return " ".join(f"{name}: {message}" for name, messages in fields for message in messages)
