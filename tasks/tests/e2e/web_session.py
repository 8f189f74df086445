"""A person in the browser, without the browser: logged in, sending what the pages send."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from aitask.tests.lab.app import App
from aitask.tests.lab.ready import PASSWORD, USERNAME

Values = Mapping[str, str | Sequence[str]]
CSRF = re.compile(r'(?:data-csrf|name="csrfmiddlewaretoken" value)="([^"]+)"')


class WebSession:
    """`post` answers the status and what the page would be told (its toast)."""

    def __init__(self, app: App) -> None:
        self.url = app.url
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._token = self._csrf(self.get("/login"))
        self.post("/login", {"username": USERNAME, "password": PASSWORD})
        self._token = self._csrf(self.get("/"))

    def get(self, path: str) -> str:
        return str(self._opener.open(f"{self.url}{path}", timeout=30).read().decode())

    def post(self, path: str, values: Values | None = None) -> tuple[int, dict[str, Any]]:
        data = urllib.parse.urlencode(values or {}, doseq=True).encode()
        headers = {"X-CSRFToken": self._token, "HX-Request": "true", "Origin": self.url}
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            answer = self._opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        events = json.loads(answer.headers.get("HX-Trigger") or "{}")
        return int(answer.status), dict(events.get("toast") or {})

    def _csrf(self, page: str) -> str:
        found = CSRF.search(page)
        assert found, "the page has no token"
        return found[1]
