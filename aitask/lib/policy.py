"""The Content Security Policy of pages that need more than the default."""

from __future__ import annotations

from typing import cast

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse


def with_own_styles(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the page use <style> elements with its nonce.

    xterm.js adds some, because sizes depend on the font.
    """
    page = csp_update({"style-src": [SELF, NONCE]})(lambda _request: response)
    return cast(HttpResponse, page(request))
