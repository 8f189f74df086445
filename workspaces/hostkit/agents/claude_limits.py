"""Plan limits of Claude Code, by the control request `get_usage`: it asks with its own login, never we."""

from __future__ import annotations

from typing import Any, List, Optional

from ..files import Json
from .catalog import NoAnswer, Talk
from .claude_models import ClaudeModels

KEY = "limits"


class ClaudeLimits(ClaudeModels):
    """Started as for its models, and asked for another thing."""

    def ask(self, talk: Talk) -> Json:
        talk.send({"type": "control_request", "request_id": KEY, "request": {"subtype": "get_usage"}})
        for line in talk.lines():
            response = line.get("response") or {}
            if line.get("type") == "control_response" and response.get("request_id") == KEY:
                return limits_of(response)
        raise NoAnswer("claude did not answer.")


def limits_of(response: Json) -> Json:
    """{account, windows}. NoAnswer says why there are none."""
    if response.get("subtype") == "error":
        raise NoAnswer(f"claude refused to tell its limits: {response.get('error')}")
    said = response.get("response") or {}
    account = str(said.get("subscription_type") or "")
    limits = said.get("rate_limits") or {}
    if not limits:
        raise NoAnswer(_why_none(account, bool(said.get("rate_limits_available"))))
    windows = [_window(name, told) for name, told in limits.items() if isinstance(told, dict)]
    for told in limits.get("model_scoped") or []:
        windows.append(_window(_scoped_name(told), told))
    return {"account": account, "windows": [window for window in windows if window]}


def _why_none(account: str, available: bool) -> str:
    if available:
        return "Anthropic's usage service could not be reached; a run will tell."
    if account:
        return f"The login of this {account} plan may not ask for its limits; runs tell them."
    return "Without a subscription's own login (an API key, a token or none) there are no plan limits."


def _window(name: str, told: Json) -> Optional[Json]:
    used: Any = told.get("utilization", told.get("used_percentage"))
    if used is None:
        return None
    return {"window": name, "used_percent": round(float(used), 1), "resets_at": told.get("resets_at")}


def _scoped_name(told: Json) -> str:
    parts: List[str] = [str(told[name]) for name in ("window", "model", "display_name") if told.get(name)]
    return " ".join(parts) or "one model"
