"""A task page's half of its socket, without a browser: what it would show that is being written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aitask.tests.lab.app import App
from terminal.tests.socket_client import TEXT, RawSocket
from workspaces.hostkit.base.partial import OpenParts


class PageSocket:
    """The socket of one task page, at one of the app's web processes; acknowledges what it reads."""

    def __init__(self, app: App, task: int, port: int | None = None) -> None:
        headers = {"Cookie": app.login.cookie_header, "Host": urlsplit(app.site).netloc, "Origin": app.site}
        self._socket = RawSocket(port or app.port, f"/ws/tasks/{task}", headers)
        assert self._socket.status == 101
        self.parts = OpenParts()
        self.is_stale = False
        self._say({"t": "from", "after": [0, 0]})

    def _say(self, message: dict[str, Any]) -> None:
        self._socket.send(TEXT, json.dumps(message).encode())

    def take(self, timeout: float | None = 30) -> dict[str, Any]:
        """Wait for the next message, and return it. Raises SocketClosed, and TimeoutError."""
        message: dict[str, Any] = json.loads(self._socket.receive(timeout)[1])
        self._say({"ack": message["n"]})
        if message["t"] == "live":
            self.is_stale = bool(message.get("stale"))
            self.parts.replace(message["parts"], whole=bool(message.get("whole")))
        return message

    @property
    def text(self) -> str:
        """All that is being written."""
        return "".join(part.text for part in self.parts.parts.values() if part.seq is None)

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Read until a condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.take(max(0.01, deadline - time.monotonic()))

    def close(self) -> None:
        self._socket.close()
