"""A script that speaks with the API."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from workspaces.models import ApiToken


class Script:
    """Calls the API with a token of `user`; `status` is that of the last answer."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.token = ApiToken.issue(user_id=user.pk, name="test")
        self.client = Client(headers={"Authorization": f"Bearer {self.token}"})
        self.status = 0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer, None when it is empty. Bytes are sent as they are, all else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = self.client.generic(method, f"/api{path}", data, content_type="application/json")
        self.status = response.status_code
        return json.loads(response.content) if response.content else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)
