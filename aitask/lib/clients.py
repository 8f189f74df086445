"""The address of a client, also behind proxies."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from aitask.lib.origin import headers

PORT = re.compile(r":\d+$")
IPV6_NETWORK = 64
"""Bits of an IPv6 address that its network decides. A single client can use all addresses of it."""


def of_request(request: HttpRequest) -> str:
    """Return the client's address; empty if it is unknown."""
    return client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""))


def of_scope(scope: Any) -> str:
    """Return the client's address of an ASGI scope."""
    peer = str((scope.get("client") or [""])[0])
    return client_address(peer, ",".join(headers(scope, b"x-forwarded-for")))


def client_address(peer: str, forwarded: str) -> str:
    """Return the address that the outermost of our TRUSTED_PROXIES saw, else that of the peer.

    `forwarded` is the header X-Forwarded-For: each proxy appends whom it was called by. What stands further
    to the left was sent by the client, and may be anything.
    """
    seen = [part.strip() for part in forwarded.split(",")]
    if 0 < settings.TRUSTED_PROXIES <= len(seen):
        return _number(seen[-settings.TRUSTED_PROXIES]) or peer
    return peer


def network_of(request: HttpRequest) -> str | None:
    """Return the client's IPv4 address or IPv6 network, by which guessing is limited; None if unknown."""
    number = _number(of_request(request))
    if ":" not in number:
        return number or None
    network = ipaddress.ip_network((number, IPV6_NETWORK), strict=False)
    return str(network.network_address)


def _number(text: str) -> str:
    """Return an IP address in its usual form; empty if it is none. Some proxies append the port."""
    for candidate in (text, text.strip("[]"), PORT.sub("", text).strip("[]")):
        try:
            found = ipaddress.ip_address(candidate.partition("%")[0])
        except ValueError:
            continue
        mapped = getattr(found, "ipv4_mapped", None)
        return str(mapped or found)
    return ""
