"""A person in the browser, without the browser: logged in, sending what the pages send."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from aitask.tests.lab.app import App
from aitask.tests.lab.login import csrf_token

Values = Mapping[str, str | Sequence[str]]


class WebSession:
    """`post` answers the status and what the page would be told (its toast)."""

    def __init__(self, app: App) -> None:
        self.url = app.site
        self._login = app.login
        self._token = csrf_token(self.get("/account/password"))

    def get(self, path: str) -> str:
        return self._login.get(path)

    def post(self, path: str, values: Values | None = None) -> tuple[int, dict[str, Any]]:
        data = urllib.parse.urlencode(values or {}, doseq=True).encode()
        headers = {"X-CSRFToken": self._token, "HX-Request": "true", "Origin": self.url}
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            answer = self._login.opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        events = json.loads(answer.headers.get("HX-Trigger") or "{}")
        return int(answer.status), dict(events.get("toast") or {})
