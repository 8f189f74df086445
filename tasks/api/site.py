"""How django-ninja is made to answer in JSON everywhere, and its docs to live with a strict CSP."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Swagger
from ninja.openapi.schema import OpenAPISchema

View = Callable[..., HttpResponseBase]
DOCS_PAGE = "openapi-view"


class JsonApi(NinjaAPI):
    """Checks the login itself and answers 401, where a page would send a person to the login form."""

    def __init__(self, **options: Any) -> None:
        # Nothing is sent to the validator of swagger.io.
        super().__init__(docs=Swagger(settings={"validatorUrl": None}), **options)

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """All addresses; the page for people keeps the login form in front of it."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern) and pattern.name != DOCS_PAGE:
                pattern.callback = login_not_required(in_json(pattern.callback))
        return patterns, app, namespace

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
