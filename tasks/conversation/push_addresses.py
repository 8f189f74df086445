"""The addresses of push services. Users send them, and the server calls them: only public ones, by HTTPS."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import re
import socket
import ssl
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from threading import Event, Timer
from urllib.parse import unquote, urlsplit

ENDPOINT = re.compile(
    r"https://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!-\[\]-~]*)?",
    re.IGNORECASE,
)
"""No user info, backslash, space or control character: other parsers disagree about what they mean."""
UNICAST = ipaddress.IPv6Network("2000::/3")
SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
"""Leads to an IPv4 address, which may be ours."""
MOST_ANSWERED = 2000
"""Bytes of an answer that are read."""


@dataclass(frozen=True)
class PushAddress:
    """The parts of a push service's URL. They are parsed once: what is checked is what is called."""

    host: str
    port: int
    path: str


@dataclass(frozen=True)
class ServiceAnswer:
    """The answer of a push service, as `pywebpush` reads it."""

    status_code: int
    reason: str
    text: str
    headers: dict[str, str]


def parse(endpoint: str) -> PushAddress:
    """Return the parts of the URL. Raises ValueError for anything but a plain HTTPS URL."""
    found = ENDPOINT.fullmatch(endpoint)
    port = int(found["port"] or 443) if found else 0
    if not found or not 1 <= port <= 65535:
        raise ValueError("The URL of a push service must be https://HOST/PATH, without user name.")
    return PushAddress(found["host"].strip("[]").lower(), port, found["path"] or "/")


def check(endpoint: str) -> None:
    """Raise ValueError unless this can be a push service.

    A name that only a proxy can resolve is accepted.
    """
    address = parse(endpoint)
    with suppress(OSError, UnicodeError):
        resolve(address)


def resolve(address: PushAddress) -> list[str]:
    """Return the IP addresses. Raises OSError if there are none, ValueError if one of them is not public."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not all(map(is_public, numbers)):
        raise ValueError(f"{address.host} is not a push service: its address is not public.")
    return numbers


def is_public(number: str) -> bool:
    """Return whether an IP address is a single machine on the internet."""
    ip = ipaddress.ip_address(number)
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    return ip.version == 4 or (ip in UNICAST and ip not in SIX_TO_FOUR)


def connect(address: PushAddress, seconds: float) -> http.client.HTTPConnection:
    """Connect to one of the addresses that have been checked, or through the server's proxy."""
    proxy = urllib.request.getproxies().get("https", "")
    if proxy and not urllib.request.proxy_bypass(address.host):
        return _through(proxy, address, seconds)
    connection = http.client.HTTPSConnection(address.host, address.port, timeout=seconds)
    plain = _open(resolve(address), address.port, seconds)
    connection.sock = _tls().wrap_socket(plain, server_hostname=address.host)
    return connection


def _open(numbers: list[str], port: int, seconds: float) -> socket.socket:
    """Connect to the first address that answers. There is one at least."""
    for number in numbers[:-1]:
        with suppress(OSError):
            return socket.create_connection((number, port), timeout=seconds / len(numbers))
    return socket.create_connection((numbers[-1], port), timeout=seconds / len(numbers))


def _through(proxy: str, address: PushAddress, seconds: float) -> http.client.HTTPConnection:
    """Use the proxy, which resolves the name; a name that we can resolve must be public, too."""
    with suppress(OSError, UnicodeError):
        resolve(address)
    place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = http.client.HTTPSConnection(
        place.hostname or "", place.port or 8080, timeout=seconds, context=_tls()
    )
    login = f"{unquote(place.username or '')}:{unquote(place.password or '')}"
    basic = base64.b64encode(login.encode()).decode()
    headers = {"Proxy-Authorization": f"Basic {basic}"} if place.username else {}
    connection.set_tunnel(address.host, address.port, headers)
    return connection


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class PushSession:
    """Posts to one push service, for `pywebpush`: no redirects, a deadline, and a limit on the answer."""

    def __init__(self, address: PushAddress, seconds: float) -> None:
        self._address = address
        self._seconds = seconds

    def post(
        self, _endpoint: str, *, data: bytes, headers: dict[str, str], timeout: float, **_: object
    ) -> ServiceAnswer:
        """Send the request; `timeout` is the deadline for the whole answer. Raises OSError."""
        connection = connect(self._address, self._seconds)
        is_late = Event()
        deadline = Timer(timeout, _cut, [connection, is_late])
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("POST", self._address.path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read(MOST_ANSWERED).decode(errors="replace")
            if is_late.is_set():
                raise TimeoutError(f"The push service did not answer within {timeout} s.")
            return ServiceAnswer(response.status, response.reason, text, dict(response.headers))
        except http.client.HTTPException as error:
            raise OSError(f"The push service answered badly: {error!r}.") from error
        finally:
            deadline.cancel()
            connection.close()


def _cut(connection: http.client.HTTPConnection, is_late: Event) -> None:
    """End a connection that a thread reads: it could last forever with a byte now and then."""
    is_late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
