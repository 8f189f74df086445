"""Expected failures as JSON: one sentence in `detail`, and what would help in `hint`."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError

from aitask.lib.errors import Refused

log = logging.getLogger(__name__)


def add_handlers(api: NinjaAPI) -> None:
    """Have `api` answer our own exceptions; what is not expected is told in the log."""

    def answer(request: HttpRequest, status: int, detail: str, hint: str = "") -> HttpResponse:
        body = {"detail": detail, **({"hint": hint} if hint else {})}
        return api.create_response(request, body, status=status)

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, error.status, error.reason, error.hint)

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, 422, in_words(error))

    @api.exception_handler(PermissionDenied)
    def denied(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, 403, str(error) or "You may not do this.")

    @api.exception_handler(Http404)
    def unknown(request: HttpRequest, _error: Any) -> HttpResponse:
        return answer(request, 404, "There is no such thing for you.")

    @api.exception_handler(RequestDataTooBig)
    def too_big(request: HttpRequest, _error: Any) -> HttpResponse:
        return answer(request, 413, "The body is too big.", "Two megabytes is the most.")

    @api.exception_handler(AuthenticationError)
    def unauthorized(request: HttpRequest, error: Any) -> HttpResponse:
        response = answer(request, 401, str(error))
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(Exception)
    def broken(request: HttpRequest, error: Any) -> HttpResponse:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return answer(request, 500, "Something went wrong in the app.", "The log of web says what.")


def in_words(error: ValidationError) -> str:
    """All that is wrong, each with the name of its field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = error.message_dict.items()
    return " ".join(f"{name}: {message}" for name, messages in fields for message in messages)
