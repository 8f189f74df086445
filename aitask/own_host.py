"""The site's own host name on this machine.

Browsers send cookies to every port of a host name. On 127.0.0.1 or localhost, a dev server that an agent has
started on another port would get the session of whoever looks at it. Browsers resolve each name below
.localhost to this machine by themselves, so the app uses one that no dev server uses.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.http.request import split_domain_port, validate_host
from django.urls import reverse

from aitask.api.middleware import PREFIX

NAME, *OTHER_NAMES = settings.LOCAL_NAMES
MISDIRECTED = 421


def is_used() -> bool:
    """Return whether browsers reach the site by this name: not if it has an origin or names of its own."""
    return not settings.CSRF_TRUSTED_ORIGINS and validate_host(NAME, settings.ALLOWED_HOSTS)


def one_name(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Lead browsers from the other names of this machine to the site's own, before a cookie is set.

    The API and the health check answer at all names, but the API takes no session there.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        domain, port = split_domain_port(request.get_host())
        if domain not in OTHER_NAMES or not is_used() or request.path == reverse("health"):
            return get_response(request)
        if request.path_info.startswith(PREFIX):
            request.COOKIES.clear()
            return get_response(request)
        return _lead_away(request, f"{request.scheme}://{NAME}{f':{port}' if port else ''}")

    return middleware


def _lead_away(request: HttpRequest, site: str) -> HttpResponseBase:
    """Redirect to the same page of `site`, and end a session that an earlier version has set here."""
    response: HttpResponse
    if request.method in ("GET", "HEAD"):
        response = HttpResponseRedirect(site + request.get_full_path())
    else:
        text = f"Open {site}/ instead: browsers would send a session of this name to other ports, too."
        response = HttpResponse(text, status=MISDIRECTED, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    if key := request.COOKIES.get(settings.SESSION_COOKIE_NAME):
        import_module(settings.SESSION_ENGINE).SessionStore(key).delete()
    for name in {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME} & set(request.COOKIES):
        response.delete_cookie(name)
    return response
