"""Plan limits of Codex, by `account/rateLimits/read`. The CLI uses its own login."""

from __future__ import annotations

from typing import Dict

from ...base.talk import NoAnswer, NoPlan, Talk
from ...wire import Json, PlanLimits, PlanWindow
from .events import windows_of
from .protocol import HANDSHAKE

LIMITS = 2


def ask(talk: Talk) -> PlanLimits:
    talk.send(*HANDSHAKE, {"id": LIMITS, "method": "account/rateLimits/read", "params": {}})
    for line in talk.lines():
        if line.get("id") == LIMITS and "method" not in line:
            return limits_of(line)
    raise NoAnswer("codex did not answer.")


def limits_of(answer: Json) -> PlanLimits:
    """Return the plan limits. Raises NoAnswer with the reason if there are none."""
    if "error" in answer:
        message = str((answer["error"] or {}).get("message") or "")
        if "authentication" in message:
            raise NoPlan("There are no plan limits without a ChatGPT login (an API key, or no login).")
        raise NoAnswer(f"codex could not report its limits: {message}")
    result = answer.get("result") or {}
    main: Json = result.get("rateLimits") or {}
    windows = windows_of(main)
    others: Dict[str, Json] = result.get("rateLimitsByLimitId") or {}
    for name, limits in others.items():
        if name != main.get("limitId"):
            label = limits.get("limitName") or name
            windows += [_labelled(label, window) for window in windows_of(limits)]
    if not windows:
        raise NoAnswer("codex reported no limits for this account.")
    return {"account": str(main.get("planType") or ""), "windows": windows}


def _labelled(label: str, window: PlanWindow) -> PlanWindow:
    return {**window, "window": f"{label} {window['window']}"}
