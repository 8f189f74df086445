"""An address that an MCP server wants a user to open: shown as a whole, and what is odd about it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, urlsplit

from workspaces.hostkit.escapes import HIDDEN

AMBIGUOUS = re.compile(r"[\s\\]")
"Characters that browsers read in another way than what checks the address."
WEB = ("http", "https")


@dataclass(frozen=True)
class ShownLink:
    """The address of a request of kind `link`."""

    url: str

    @cached_property
    def _parts(self) -> SplitResult | None:
        if AMBIGUOUS.search(self.url) or HIDDEN.search(self.url):
            return None
        try:
            parts = urlsplit(self.url)
            return parts if parts.hostname and parts.port != 0 else None
        except ValueError:
            return None

    @property
    def is_clickable(self) -> bool:
        """Whether it is an address of the web that every program reads in the same way."""
        return self._parts is not None and self._parts.scheme.lower() in WEB

    @property
    def host(self) -> str:
        return str(self._parts.hostname) if self._parts else ""

    @property
    def warnings(self) -> list[str]:
        parts = self._parts
        if parts is None or not self.is_clickable:
            return ["It is not an address of the web, or not a plain one, so that it is shown as text only."]
        found = []
        if "@" in parts.netloc:
            found.append(f"What stands before the @ is not the server. The server is {self.host}.")
        found += _odd_host(self.host)
        if parts.scheme.lower() == "http":
            found.append("It is not encrypted (http).")
        return found


def _odd_host(host: str) -> list[str]:
    """Return what is odd about a host: letters of other alphabets, numbers, this machine."""
    if not host.isascii():
        return [f"The name of the server has letters that may look like others: {_as_ascii(host)}"]
    if "xn--" in host:
        return [f"The name of the server is written in other letters: {_as_unicode(host)}"]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_local = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
        return [HERE] if is_local or "." not in host else []
    return [HERE] if not address.is_global else ["The server is given by its number, not by a name."]


HERE = "The server is your own machine, or one in your network."


def _as_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _as_unicode(host: str) -> str:
    try:
        return host.encode().decode("idna")
    except UnicodeError:
        return host
