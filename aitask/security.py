"""Security headers that Django and django-csp don't set, and compression that gives no secret away."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from aitask.lib import preview_hosts

DENIED = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in DENIED)


def no_previews(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse requests at the names of previews, and those that the pages of previews send.

    Names in ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS can have stars that include them. A link in a preview that
    leads to the app sends no `Origin`.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if preview_hosts.is_below(request.META.get("HTTP_HOST", "")):
            return HttpResponse("This is the name of a preview.", status=421, content_type="text/plain")
        if preview_hosts.is_origin_below(request.headers.get("Origin", "")):
            return HttpResponse(
                "Pages of previews can't call the app.", status=403, content_type="text/plain"
            )
        return get_response(request)

    return middleware


def permissions_policy(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Deny pages access to devices, and other sites the use of our resources."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware


def private_pages(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Let nobody store what a user was shown, unless the view says otherwise."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


class CompressionMiddleware(GZipMiddleware):
    """Compress pages, but none that another site has requested.

    A site that puts guesses into requests could otherwise learn from the sizes of the responses what else is
    on the page (BREACH). Browsers tell who requests a page, and other clients send no cookies for a site.
    """

    OWN = ("", "same-origin", "none")
    "Values of Sec-Fetch-Site: not sent, one of our pages, or the user by typing the address."

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ("Sec-Fetch-Site",))
        if request.headers.get("Sec-Fetch-Site", "") not in self.OWN:
            return response
        return super().process_response(request, response)
