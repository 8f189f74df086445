"""Where an app above this one joins in a run's life; it puts its functions here when it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tasks.models import Run
from workspaces.models import Workspace

Hurdle = Callable[[Run], str]
"Why a queued run can't start now, as a sentence; empty when it can."


def _nothing(*_: Any) -> None:
    """Nobody has joined in."""


def _no_hurdle(_workspace: Workspace) -> Hurdle:
    return lambda _run: ""


usage_changed: Callable[[Run], None] = _nothing
"The run is new, its saved row says other tokens or another cost than before, or it has ended."
limit_reported: Callable[[Run, dict[str, Any], datetime], None] = _nothing
"The CLI of a run said how full its plan is (a `limit` event and its time)."
hurdle: Callable[[Workspace], Hurdle] = _no_hurdle
"What else keeps the queued runs of a workspace back, read once for all of them."
