"""Plan limits of Claude Code, by the control request `get_usage`. The CLI uses its own login."""

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
    """Return the plan limits. Raises NoAnswer with the reason if there are none."""
    if response.get("subtype") == "error":
        raise NotSupported(f"claude did not report its limits ({response.get('error')}).")
    report = response.get("response") or {}
    account = str(report.get("subscription_type") or "")
    limits = report.get("rate_limits") or {}
    if not limits:
        raise _why_none(account, bool(report.get("rate_limits_available")))
    windows = [_window(name, window) for name, window in limits.items() if isinstance(window, dict)]
    for window in limits.get("model_scoped") or []:
        windows.append(_window(_scoped_name(window), window))
    windows += [_of_one_model(window) for window in limits.get("limits") or []]
    return {"account": account, "windows": [window for window in windows if window]}


def _why_none(account: str, available: bool) -> NoAnswer:
    if available:
        return NoAnswer(
            "Anthropic's usage service could not be reached. The next run will report the limits."
        )
    if account:
        return NoAnswer(f"The login of this {account} plan can't query its limits. Runs report them.")
    return NoPlan(
        "There are no plan limits without the login of a subscription (only an API key or token, or none)."
    )


def _window(name: str, window: Json) -> Optional[PlanWindow]:
    used = window.get("utilization", window.get("used_percentage"))
    if used is None:
        return None
    return {"window": name, "used_percent": round(float(used), 1), "resets_at": window.get("resets_at")}


def _of_one_model(window: Json) -> Optional[PlanWindow]:
    """Return the weekly window of a single model, named as on the /usage screen."""
    name = ((window.get("scope") or {}).get("model") or {}).get("display_name")
    if window.get("kind") != "weekly_scoped" or not name:
        return None
    key = "seven_day_" + str(name).lower().replace(" ", "_")
    return _window(key, dict(window, utilization=window.get("percent")))


def _scoped_name(window: Json) -> str:
    parts: List[str] = [str(window[name]) for name in ("window", "model", "display_name") if window.get(name)]
    return " ".join(parts) or "one model"
