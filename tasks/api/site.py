"""Makes django-ninja answer in JSON everywhere, and its docs work with a strict CSP."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Swagger
from ninja.errors import HttpError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.security.base import AuthBase

from aitask.lib import untrusted_json

View = Callable[..., HttpResponseBase]
DOCUMENT, DOCS_PAGE = "openapi-json", "openapi-view"


class StrictParser(Parser):
    """Standard JSON only. Lone surrogates, which databases can't hold, become question marks."""

    def parse_body(self, request: HttpRequest) -> Any:
        value = untrusted_json.loads(request.body)
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


class DocsPage(Swagger):
    """The page of the API's document, with the scripts in ninja's package instead of those on a CDN."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        options = {**self.settings, "url": self.get_openapi_url(api, kwargs)}
        return render(request, "aitask/api_docs.html", {"swagger_settings": json.dumps(options, indent=1)})


class JsonApi(NinjaAPI):
    """An API that checks the login itself and answers 401 instead of redirecting to the login page."""

    def __init__(self, *, callers: list[AuthBase], **options: Any) -> None:
        # Send nothing to the validator of swagger.io.
        docs = DocsPage(settings={"validatorUrl": None})
        super().__init__(auth=callers, docs=docs, parser=StrictParser(), **options)
        self.callers = callers

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """All URLs. Only the docs page keeps the redirect to the login page."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern) and pattern.name != DOCS_PAGE:
                checked = self.for_callers if pattern.name == DOCUMENT else in_json
                pattern.callback = login_not_required(checked(pattern.callback))
        return patterns, app, namespace

    def for_callers(self, view: View) -> View:
        """Wrap one of django-ninja's own views, which are public, with the check of the login."""

        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                any(check(request) for check in self.callers)
            except HttpError as error:
                return self.on_exception(request, error)
            return view(request, *args, **kwargs)

        return answer

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Add the errors that every call can return."""
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
        400: "The body is not valid JSON",
        401: "Not logged in, or the token is invalid",
        403: "You don't have permission, or the CSRF token is missing",
        404: "Not found, or you don't have access",
        409: "Not possible in the current state; `hint` says what to do",
        422: "A value is invalid: a sentence, or a list of locations in the request",
        503: "The host can't be reached; `hint` says what to do",
    }.items()
}


def in_json(view: View) -> View:
    """Wrap a view so that 405, the only response that Django does not send as JSON, is JSON as well."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponseNotAllowed):
            body = {"detail": f"{request.method} is not allowed here."}
            return JsonResponse(body, status=405, headers={"Allow": response["Allow"]})
        return response

    return answer
