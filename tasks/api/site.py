"""How django-ninja is made to answer in JSON everywhere, and its docs to live with a strict CSP."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Swagger
from ninja.errors import HttpError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.security.base import AuthBase

View = Callable[..., HttpResponseBase]
DOCUMENT, DOCS_PAGE = "openapi-json", "openapi-view"


class StrictParser(Parser):
    """JSON as the standard has it; half a character, which no database takes, becomes a question mark."""

    def parse_body(self, request: HttpRequest) -> Any:
        value = json.loads(request.body, parse_constant=refuse_constant)
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity, and nobody else does."""
    raise ValueError(f"{name} is no JSON")


class JsonApi(NinjaAPI):
    """Checks the login itself and answers 401, where a page would send a person to the login form."""

    def __init__(self, *, callers: list[AuthBase], **options: Any) -> None:
        # Nothing is sent to the validator of swagger.io.
        docs = Swagger(settings={"validatorUrl": None})
        super().__init__(auth=callers, docs=docs, parser=StrictParser(), **options)
        self.callers = callers

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """All addresses; the page for people keeps the login form in front of it."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern) and pattern.name != DOCS_PAGE:
                checked = self.for_callers if pattern.name == DOCUMENT else in_json
                pattern.callback = login_not_required(checked(pattern.callback))
        return patterns, app, namespace

    def for_callers(self, view: View) -> View:
        """The view, for those who may call the API; django-ninja leaves its own views open."""

        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                any(check(request) for check in self.callers)
            except HttpError as error:
                return self.on_exception(request, error)
            return view(request, *args, **kwargs)

        return answer

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Adds the errors that every call may answer."""
        schema = super().get_openapi_schema(**options)
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"] |= ERRORS
        return schema


ERRORS = {
    status: {
        "description": meaning,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["detail"],
                    "properties": {"detail": {}, "hint": {"type": "string"}},
                }
            }
        },
    }
    for status, meaning in {
        400: "The body is no JSON",
        401: "No token or login, or one that is not valid",
        403: "Only the owner may do this, or the CSRF token is missing",
        404: "There is no such thing for you",
        409: "It can't be done now; `hint` says what would help",
        422: "A value is wrong: a sentence, or a list of places in the request",
        503: "The host can't be reached; `hint` says what would help",
    }.items()
}


def in_json(view: View) -> View:
    """Django's refusal of a method is a plain text; everything else is JSON already."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponseNotAllowed):
            words = {"detail": f"{request.method} is not possible here."}
            return JsonResponse(words, status=405, headers={"Allow": response["Allow"]})
        return response

    return answer
