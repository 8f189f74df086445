"""Plan limits of Claude Code, by the control request `get_usage`: it asks with its own login, never we."""

from __future__ import annotations

from typing import List, Optional

from ...base.talk import NoAnswer, NoPlan, NotSupported, Talk
from ...wire import Json, PlanLimits, PlanWindow

KEY = "limits"


def ask(talk: Talk) -> PlanLimits:
    talk.send({"type": "control_request", "request_id": KEY, "request": {"subtype": "get_usage"}})
    for line in talk.lines():
        response = line.get("response") or {}
        if line.get("type") == "control_response" and response.get("request_id") == KEY:
            return limits_of(response)
    raise NoAnswer("claude did not answer.")


def limits_of(response: Json) -> PlanLimits:
    """NoAnswer says why there are none."""
    if response.get("subtype") == "error":
        raise NotSupported(f"claude refused to tell its limits ({response.get('error')}).")
    said = response.get("response") or {}
    account = str(said.get("subscription_type") or "")
    limits = said.get("rate_limits") or {}
    if not limits:
        raise _why_none(account, bool(said.get("rate_limits_available")))
    windows = [_window(name, told) for name, told in limits.items() if isinstance(told, dict)]
    for told in limits.get("model_scoped") or []:
        windows.append(_window(_scoped_name(told), told))
    windows += [_of_one_model(told) for told in limits.get("limits") or []]
    return {"account": account, "windows": [window for window in windows if window]}


def _why_none(account: str, available: bool) -> NoAnswer:
    if available:
        return NoAnswer("Anthropic's usage service could not be reached; a run will tell.")
    if account:
        return NoAnswer(f"The login of this {account} plan may not ask for its limits; runs tell them.")
    return NoPlan(
        "Without a subscription's own login (an API key, a token or none) there are no plan limits."
    )


def _window(name: str, told: Json) -> Optional[PlanWindow]:
    used = told.get("utilization", told.get("used_percentage"))
    if used is None:
        return None
    return {"window": name, "used_percent": round(float(used), 1), "resets_at": told.get("resets_at")}


def _of_one_model(told: Json) -> Optional[PlanWindow]:
    """A week of one model alone, named as the screen names it."""
    name = ((told.get("scope") or {}).get("model") or {}).get("display_name")
    if told.get("kind") != "weekly_scoped" or not name:
        return None
    window = "seven_day_" + str(name).lower().replace(" ", "_")
    return _window(window, dict(told, utilization=told.get("percent")))


def _scoped_name(told: Json) -> str:
    parts: List[str] = [str(told[name]) for name in ("window", "model", "display_name") if told.get(name)]
    return " ".join(parts) or "one model"
