"""Origin check of WebSockets: they have no CSRF token, so only pages of this site may open one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from aitask.lib import preview_hosts

Scope = Any  # each library has its own TypedDicts for it
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d+))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}
LOCAL_HOSTS = ["localhost", ".localhost", "127.0.0.1", "[::1]"]


def is_own_origin(origin: str, host: str) -> bool:
    """Return whether `origin` has the same host and port as `host`, or is in CSRF_TRUSTED_ORIGINS.

    The host must be in ALLOWED_HOSTS: else an attacker's domain that resolves to this server would match. If
    the site uses HTTPS only, a page without it is foreign: the network could have written it.
    """
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    domain, port = split_domain_port(host.lower())
    if not domain or not validate_host(domain, allowed) or preview_hosts.is_below(host):
        return False
    parts = ORIGIN.fullmatch(origin.lower())
    if not parts or preview_hosts.is_below(parts[2]):
        return False
    scheme, own_domain, own_port = parts.groups()
    if scheme == "http" and settings.SESSION_COOKIE_SECURE:
        return False
    default = DEFAULT_PORTS[scheme]
    if (own_domain, own_port or default) == (domain, port or default):
        return True
    return any(_is_trusted(origin.lower(), trusted.lower()) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def _is_trusted(origin: str, trusted: str) -> bool:
    """Like Django's CSRF check: https://*.example.com matches all subdomains."""
    scheme, star, parent = trusted.partition("*")
    return origin.startswith(scheme) and origin.endswith(parent) if star else origin == trusted


def own_origin_only(application: Application) -> Application:
    """Refuse the handshake of a socket unless a page of this site opens it."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        origins, hosts = headers(scope, b"origin"), headers(scope, b"host")
        if len(origins) == len(hosts) == 1 and is_own_origin(origins[0], hosts[0]):
            await application(scope, receive, send)
        else:
            await refuse(receive, send)

    return checked


async def refuse(receive: Receive, send: Send) -> None:
    """Answer a handshake with HTTP 403. A page can't see a close code before the socket is open."""
    await receive()
    await send({"type": "websocket.close"})


def headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", []) if key.lower() == name]
