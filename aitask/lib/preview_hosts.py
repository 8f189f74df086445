"""Host names of previews: each port of each task has one, and so an origin, of its own.

`t12-5173.preview.localhost` on this machine, as browsers resolve every name below .localhost to it, and
`t12-5173.<PREVIEW_DOMAIN>` behind a proxy. A port of the checkout of workspace 3 is at `w3-5173.…`. The app
answers at none of them, and a preview at no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port

LOCAL = "preview.localhost"
LABEL = re.compile(r"([tw][1-9][0-9]{0,9})-([1-9][0-9]{0,4})")
MOST_PORT = 65_535
MOST_KNOWN = 128
"""Host names of which the meaning is kept: a page asks for hundreds of files at the same one."""


@dataclass(frozen=True)
class PreviewHost:
    """A port, and the host name at which it is shown: lower case, with the port of the site."""

    whose: str
    "`t12` for task 12, `w3` for the checkout of workspace 3."
    port: int
    name: str

    @property
    def is_local(self) -> bool:
        return _name_of(self.name).endswith(f".{LOCAL}")

    @cached_property
    def origin(self) -> str:
        """The origin in the browser: a preview behind a proxy uses HTTPS."""
        return f"{'http' if self.is_local else 'https'}://{self.name}"

    def sibling(self, port: int) -> str:
        """The origin of another port of the same task or checkout."""
        return self.origin.replace(f"{self.whose}-{self.port}.", f"{self.whose}-{port}.", 1)


def _domains(configured: str) -> list[str]:
    """Return the domains below which previews are, without a port. `configured` is PREVIEW_DOMAIN."""
    return [LOCAL, *([_name_of(configured)] if configured else [])]


def _name_of(host: str) -> str:
    return host.lower().partition(":")[0].rstrip(".")


def is_below(host: str) -> bool:
    """Return whether a host is at or below a domain of previews, also if it is no valid name of one."""
    return _is_below(host, settings.PREVIEW_DOMAIN)


@lru_cache(MOST_KNOWN)
def _is_below(host: str, configured: str) -> bool:
    name = _name_of(host.strip())
    return any(name == domain or name.endswith(f".{domain}") for domain in _domains(configured))


def any_below(hosts: Iterable[bytes]) -> bool:
    """Return whether one of these `Host` headers names a preview, or what looks like one."""
    return any(is_below(host.decode("latin-1")) for host in hosts)


def is_origin_below(origin: str) -> bool:
    """Return whether an `Origin` header is that of a page of a preview."""
    try:
        return is_below(urlsplit(origin.strip()).hostname or "")
    except ValueError:
        return False


def parse(hosts: list[bytes]) -> PreviewHost | None:
    """Return the preview that the `Host` headers of a request name; None if it is not exactly one."""
    return _parse(hosts[0], settings.PREVIEW_DOMAIN) if len(hosts) == 1 else None


@lru_cache(MOST_KNOWN)
def _parse(given: bytes, configured: str) -> PreviewHost | None:
    host = given.decode("latin-1").lower()
    domain, port = split_domain_port(host)
    if not domain or domain not in host or host.partition(":")[0].endswith("."):
        return None
    label, _, rest = domain.partition(".")
    found = LABEL.fullmatch(label)
    if found is None or rest not in _domains(configured) or int(found[2]) > MOST_PORT:
        return None
    if port and not 0 < int(port) <= MOST_PORT:
        return None
    return PreviewHost(found[1], int(found[2]), host)


def name_at(site: str, whose: str, port: int) -> str | None:
    """Return the host name of a preview for a browser that has the app open at the host `site`.

    `whose` is as in `PreviewHost`. None if that browser can't reach one: it is on another machine, and
    PREVIEW_DOMAIN is not set.
    """
    domain, site_port = split_domain_port(site.lower())
    if domain in settings.LOCAL_NAMES:
        return f"{whose}-{port}.{LOCAL}{f':{site_port}' if site_port else ''}"
    return f"{whose}-{port}.{settings.PREVIEW_DOMAIN.lower()}" if settings.PREVIEW_DOMAIN else None
