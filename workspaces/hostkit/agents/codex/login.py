"""Login state of Codex, by its app-server, because `codex login status` ignores keys of other providers."""

from __future__ import annotations

from ...base.talk import NoAnswer, Talk
from ...wire import LoginState
from .protocol import HANDSHAKE

ACCOUNT = 2


def ask(talk: Talk) -> LoginState:
    """Return the login state. Raises NoAnswer."""
    talk.send(*HANDSHAKE, {"id": ACCOUNT, "method": "account/read", "params": {}})
    for line in talk.lines():
        if line.get("id") == ACCOUNT and "method" not in line:
            return _login_of(line.get("result"))
    raise NoAnswer("codex did not answer.")


def _login_of(account: object) -> LoginState:
    if not isinstance(account, dict):
        raise NoAnswer("codex did not report its account.")
    if account.get("account"):
        return {"logged_in": True, "detail": str(account["account"].get("type") or "")}
    needed = bool(account.get("requiresOpenaiAuth"))
    return {"logged_in": not needed, "detail": "" if needed else "a provider of its own"}
