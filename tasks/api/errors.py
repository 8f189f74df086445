"""Errors as JSON: a sentence in `detail`, and what to do about it in `hint`."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DatabaseError, Error, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError

from aitask.lib import columns
from aitask.lib.errors import InvalidFields, Refused
from aitask.lib.untrusted_json import MAX_DEPTH, TooDeep

log = logging.getLogger(__name__)
FULL = (errno.ENOSPC, errno.EDQUOT)


class ErrorAnswers:
    """Turns exceptions into JSON responses; unexpected ones are logged."""

    def __init__(self, api: NinjaAPI) -> None:
        self._api = api

    def _answer(self, request: HttpRequest, status: int, detail: str, hint: str = "") -> HttpResponse:
        body = {"detail": detail, **({"hint": hint} if hint else {})}
        return self._api.create_response(request, body, status=status)

    def refused(self, request: HttpRequest, error: Refused) -> HttpResponse:
        return self._answer(request, error.status, error.reason, error.hint)

    def invalid_fields(self, request: HttpRequest, error: InvalidFields) -> HttpResponse:
        found = [
            {"type": "value_error", "loc": ["body", "content", *filter(None, [name])], "msg": text}
            for name, text in error.fields.items()
        ]
        body = {"detail": found, "hint": error.reason}
        return self._api.create_response(request, body, status=error.status)

    def invalid(self, request: HttpRequest, error: ValidationError) -> HttpResponse:
        return self._answer(request, 422, message_of(error))

    def denied(self, request: HttpRequest, error: PermissionDenied) -> HttpResponse:
        return self._answer(request, 403, str(error) or "You don't have permission to do this.")

    def unknown(self, request: HttpRequest, _error: Http404) -> HttpResponse:
        return self._answer(request, 404, "Not found, or you don't have access.")

    def too_big(self, request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
        limit = f"{settings.MAX_REQUEST_BYTES / 1_000_000:g} MB"
        return self._answer(request, 413, "The request body is too large.", f"The maximum is {limit}.")

    def refused_by_ninja(self, request: HttpRequest, error: HttpError) -> HttpResponse:
        too_deep = isinstance(error.__cause__, TooDeep)
        hint = f"The maximum is {MAX_DEPTH} levels of lists and objects." if too_deep else ""
        return self._answer(request, error.status_code, str(error), hint)

    def unauthorized(self, request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = self._answer(request, 401, str(error))
        response["WWW-Authenticate"] = "Bearer"
        return response

    def outage(self, request: HttpRequest, error: Error) -> HttpResponse:
        if not columns.is_outage(error):
            return self.broken(request, error)
        log.error("%s %s failed: the database can't be used: %s", request.method, request.path, error)
        return self._answer(request, 503, columns.AWAY, columns.AWAY_HINT)

    def system(self, request: HttpRequest, error: OSError) -> HttpResponse:
        if error.errno not in FULL:
            return self.broken(request, error)
        log.error("%s %s failed: the disk is full: %s", request.method, request.path, error)
        hint = "Make room on the machine of the app, then try again. Nothing was saved."
        return self._answer(request, 507, "The disk of the app is full.", hint)

    def broken(self, request: HttpRequest, error: Exception) -> HttpResponse:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        hint = "The log of the web process has the details."
        return self._answer(request, 500, "Internal server error.", hint)


HANDLERS: dict[type[Exception], Callable[[ErrorAnswers, HttpRequest, Any], HttpResponse]] = {
    Refused: ErrorAnswers.refused,
    InvalidFields: ErrorAnswers.invalid_fields,
    ValidationError: ErrorAnswers.invalid,
    PermissionDenied: ErrorAnswers.denied,
    Http404: ErrorAnswers.unknown,
    RequestDataTooBig: ErrorAnswers.too_big,
    HttpError: ErrorAnswers.refused_by_ninja,
    AuthenticationError: ErrorAnswers.unauthorized,
    DatabaseError: ErrorAnswers.outage,
    InterfaceError: ErrorAnswers.outage,
    OSError: ErrorAnswers.system,
    Exception: ErrorAnswers.broken,
}


def add_handlers(api: NinjaAPI) -> None:
    """Let the API answer exceptions."""
    answers = ErrorAnswers(api)
    for kind, answer in HANDLERS.items():
        api.add_exception_handler(kind, partial(answer, answers))


def message_of(error: ValidationError) -> str:
    """Return all messages of the error, each with the name of its field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = error.message_dict.items()
    return " ".join(f"{name}: {message}" for name, messages in fields for message in messages)
