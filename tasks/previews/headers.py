"""The headers of a preview's requests and answers.

The program on the port gets what it would get from a browser on its own machine: `Host: localhost:5173`. The
browser gets what it would get if the program ran at the preview's origin. Nothing of the app's passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from aitask.lib.exchange import Headers
from aitask.lib.preview_hosts import PreviewHost

HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
    *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect", b"http2-settings"),
}
"""Headers of one connection, and not of what is passed on."""
FROM_PROXIES = re.compile(rb"forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip|cf-.*")
"""What proxies before the app add. The program would take its own address for another one."""
REPLACED = {b"host", b"cookie", b"content-length"}
KEPT_BACK = {
    *(b"clear-site-data", b"strict-transport-security", b"alt-svc", b"public-key-pins"),
    *(b"nel", b"report-to"),
}
"""Headers of answers that change more than the preview's own origin, or for longer."""
LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104 (names in addresses of programs)
OWN_COOKIE = re.compile(r"(__(host|secure)-)?aitask_.*", re.IGNORECASE)
SPACE = " \t"


def cookie_name(host: PreviewHost) -> str:
    """Return the name of the cookie that is exchanged for a token."""
    return f"{'' if host.is_local else '__Host-'}{settings.PREVIEW_COOKIE_NAME}"


def cookies_of(values: Iterable[bytes], name: str) -> tuple[str, ...]:
    """Return the values of all cookies of a name: another preview's page could have added some."""
    return tuple(value for key, value in _pairs(values) if key == name and value)


def set_cookie(host: PreviewHost, value: str) -> bytes:
    secure = "" if host.is_local else "; Secure"
    return f"{cookie_name(host)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()


def to_program(headers: Headers, host: PreviewHost) -> Headers:
    """Return the headers of a request as the program gets them, without those of its body."""
    named = _named_by_connection(headers)
    passed: Headers = [(b"Host", f"localhost:{host.port}".encode())]
    for name, value in headers:
        lower = name.lower()
        if lower in named or _is_kept_from_programs(lower):
            continue
        if lower in (b"origin", b"referer"):
            value = _at_program(value, host)
        passed.append((name, value))
    kept = [f"{key}={value}" if key else value for key, value in _pairs(_values(headers, b"cookie"))]
    cookies = [pair for pair in kept if not OWN_COOKIE.match(pair)]
    if cookies:
        passed.append((b"Cookie", "; ".join(cookies).encode("latin-1")))
    return passed


def to_browser(headers: Iterable[tuple[bytes, bytes]], host: PreviewHost) -> Headers:
    """Return the headers of an answer as the browser gets them."""
    given = list(headers)
    dropped = HOP_BY_HOP | _named_by_connection(given) | KEPT_BACK
    if _values(given, b"transfer-encoding"):
        dropped = dropped | {b"content-length"}
    passed: Headers = []
    for name, value in given:
        lower = name.lower()
        if lower in dropped:
            continue
        if lower in (b"location", b"content-location"):
            value = _at_preview(value, host)
        elif lower == b"access-control-allow-origin":
            value = _at_preview(value, host).rstrip(b"/") if value != b"*" else value
        elif lower == b"set-cookie":
            value = _own_cookie(value)
        if value or lower != b"set-cookie":
            passed.append((name, value))
    return passed


def is_own_request(headers: Headers, host: PreviewHost, *, is_socket: bool) -> bool:
    """Return whether a page of this preview sends the request, or the user opens it.

    All previews are one site, so cookies of the browser come with requests of other previews, too.
    """
    origins = _values(headers, b"origin")
    own = host.origin.encode()
    if is_socket:
        return origins == [own]
    site = b"".join(_values(headers, b"sec-fetch-site"))
    if site in (b"cross-site", b"same-site"):
        is_visit = b"".join(_values(headers, b"sec-fetch-mode")) == b"navigate"
        return is_visit and b"".join(_values(headers, b"sec-fetch-dest")) == b"document" and not origins
    return not origins or origins == [own] or (origins == [b"null"] and site == b"same-origin")


@lru_cache(256)
def _is_kept_from_programs(name: bytes) -> bool:
    return name in HOP_BY_HOP | REPLACED or bool(FROM_PROXIES.fullmatch(name))


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _named_by_connection(headers: Headers) -> set[bytes]:
    """Return the headers that `Connection` names: they are not for the next one."""
    named = b",".join(_values(headers, b"connection")).split(b",")
    return {name.strip().lower() for name in named} - {b"", b"host", b"content-length"}


def _pairs(values: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return the cookies of `Cookie` headers, with those that have no name."""
    pairs = (pair.strip(SPACE) for value in values for pair in value.decode("latin-1").split(";"))
    return [
        (name.strip(SPACE), value.strip(SPACE)) if is_named else ("", name)
        for name, is_named, value in (pair.partition("=") for pair in pairs if pair)
    ]


def _own_cookie(value: bytes) -> bytes:
    """Return a cookie of a program for its host name only; empty for one with a name of the app's."""
    first, *attributes = value.decode("latin-1").split(";")
    name = first.partition("=")[0].strip()
    # A cookie without a name is sent as its value, which then looks like a name.
    if OWN_COOKIE.match(name or first.partition("=")[2].strip()):
        return b""
    kept = [each for each in attributes if each.partition("=")[0].strip().lower() != "domain"]
    return ";".join([first, *kept]).encode("latin-1")


def _at_program(value: bytes, host: PreviewHost) -> bytes:
    """Return an address of the preview as the program knows it."""
    text = value.decode("latin-1")
    rest = text.removeprefix(host.origin)
    is_own = rest != text and rest[:1] in ("", "/", "?", "#")
    return f"http://localhost:{host.port}{rest}".encode("latin-1") if is_own else value


def _at_preview(value: bytes, host: PreviewHost) -> bytes:
    """Return an absolute address of a port of the program's machine as the browser knows it."""
    text = value.decode("latin-1")
    try:
        parts = urlsplit(text)
        port = parts.port or 80
    except ValueError:
        return value
    if parts.scheme not in ("http", "") or not parts.netloc or (parts.hostname or "") not in LOOPBACK:
        return value
    rest = parts._replace(scheme="", netloc="").geturl()
    return f"{host.sibling(port)}{rest}".encode("latin-1")
