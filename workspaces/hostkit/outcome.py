"""How a run ended, in one value."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .wire import EndState, RunResult


class Outcome(NamedTuple):
    """How a run ended; `state` is succeeded, failed or cancelled, `reason` a sentence."""

    state: EndState
    code: str = ""
    reason: str = ""
    resets_at: Optional[str] = None


def outcome_of(result: Optional[RunResult]) -> Optional[Outcome]:
    """As the runner told it, if it did. An agent can write there, too: a field that is missing is empty."""
    if not result:
        return None
    return Outcome(
        result["state"], result.get("reason_code", ""), result.get("reason", ""), result.get("resets_at")
    )
