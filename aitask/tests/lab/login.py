"""Log in by the login form without a browser, and pass the cookies to one, which saves two page loads."""

from __future__ import annotations

import http.client
import http.cookiejar
import re
import socket
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

CSRF = re.compile(r'(?:data-csrf|name="csrfmiddlewaretoken" value)="([^"]+)"')


class LoopbackConnection(http.client.HTTPConnection):
    """Connects to this machine by any name, as browsers do for names below .localhost."""

    def connect(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)


class LoopbackHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(LoopbackConnection, req)


@dataclass(frozen=True)
class WebLogin:
    """The session of a user at `url`."""

    url: str
    opener: urllib.request.OpenerDirector
    cookies: http.cookiejar.CookieJar

    def get(self, path: str) -> str:
        return str(self.opener.open(f"{self.url}{path}", timeout=30).read().decode())

    def submit(self, path: str, **values: str) -> tuple[str, str]:
        """Open the page of a form and submit it; return the URL and the text of the page that follows."""
        token = csrf_token(self.get(path))
        data = urllib.parse.urlencode({**values, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"Origin": self.url})
        with self.opener.open(request, timeout=30) as answer:
            return answer.url, answer.read().decode()

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{each.name}={each.value}" for each in self.cookies)

    def give_to(self, context: BrowserContext) -> None:
        """Add the session's cookies to a browser."""
        context.add_cookies(
            [{"name": each.name, "value": each.value or "", "url": self.url} for each in self.cookies]
        )


def new_visitor(url: str) -> WebLogin:
    """Return a browser's session at `url` that is not logged in yet."""
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(LoopbackHandler, urllib.request.HTTPCookieProcessor(cookies))
    return WebLogin(url, opener, cookies)


def log_in(url: str, username: str, password: str) -> WebLogin:
    """Log in by the form. Raises AssertionError if that fails."""
    login = new_visitor(url)
    arrived, _ = login.submit("/login", username=username, password=password)
    assert not arrived.startswith(f"{url}/login"), f"{username} could not log in"
    return login


def csrf_token(page: str) -> str:
    """Return the CSRF token of a page."""
    found = CSRF.search(page)
    assert found, "the page has no token"
    return found[1]
