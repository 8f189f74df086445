"""Imports the API at its first request: its schemas take 20 MB and a quarter of a second."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

PREFIX = "/api/"
URLS = "aitask.api.urls"


def api_on_demand(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Resolve requests to the API with its own URLs."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(PREFIX):
            request.urlconf = URLS
        return get_response(request)

    return middleware
