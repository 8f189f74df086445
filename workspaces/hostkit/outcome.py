"""The outcome of a run."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .wire import EndState, RunResult


class Outcome(NamedTuple):
    """How a run ended. `code` is for programs, `reason` is a sentence for users."""

    state: EndState
    code: str = ""
    reason: str = ""
    resets_at: Optional[str] = None


CLOSED = Outcome("cancelled", "hangup", "The terminal was closed.")
"""A person has closed the run's window or its session."""
NO_PLACE = (
    "The CLI does not have this message any more, as after a compaction."
    " Fork from a later message, or continue the conversation."
)
"""Why a fork has failed, with the code `fork`: the session itself can still be continued."""
DISK_FULL = "The host's disk is full"


def no_room_for(events: int) -> Outcome:
    """Return the outcome of a run that succeeded, but whose last events could not be saved."""
    return Outcome("failed", "disk_full", f"{DISK_FULL}: the last events of the run ({events}) are lost.")


def outcome_of(result: Optional[RunResult]) -> Optional[Outcome]:
    """Return the outcome that the runner reported, if any.

    Agents can write that file, too: missing fields are taken as empty.
    """
    if not result:
        return None
    return Outcome(
        result["state"], result.get("reason_code", ""), result.get("reason", ""), result.get("resets_at")
    )
