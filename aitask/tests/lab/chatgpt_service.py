"""ChatGPT's service for plan limits, on loopback, and a fake login with which `codex` uses it."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

ACCOUNT = "acc-invented"
WINDOWS = {
    "primary_window": {
        "used_percent": 42,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 60,
        "reset_at": 1_900_000_000,
    },
    "secondary_window": {
        "used_percent": 17,
        "limit_window_seconds": 604_800,
        "reset_after_seconds": 60,
        "reset_at": 1_900_500_000,
    },
}


class ChatGptService:
    """The service as a context manager; `write_login` makes a CODEX_HOME use it."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)

    def __enter__(self) -> ChatGptService:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def write_login(self, home: Path) -> Path:
        """Write a login of a Plus plan as `codex` stores it; return the file."""
        config = home / "config.toml"
        address = f'chatgpt_base_url = "http://127.0.0.1:{self._server.server_port}/backend-api"\n'
        config.write_text(address + config.read_text())
        now = datetime.now(UTC)
        token = _token(now + timedelta(days=1))
        tokens = {"id_token": token, "access_token": token, "refresh_token": "lab", "account_id": ACCOUNT}
        login = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
        path = home / "auth.json"
        path.write_text(json.dumps({**login, "last_refresh": now.strftime("%Y-%m-%dT%H:%M:%SZ")}))
        return path


def _token(expires: datetime) -> str:
    """Return a JSON Web Token with a fake signature."""
    account = {"chatgpt_plan_type": "plus", "chatgpt_account_id": ACCOUNT, "chatgpt_user_id": "lab"}
    claims = {"exp": int(expires.timestamp()), "https://api.openai.com/auth": account}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"lab"))


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        asked = self.path == "/backend-api/wham/usage" and self.headers.get("chatgpt-account-id") == ACCOUNT
        limits = {"allowed": True, "limit_reached": False, **WINDOWS}
        payload = json.dumps({"plan_type": "plus", "rate_limit": limits} if asked else {}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
