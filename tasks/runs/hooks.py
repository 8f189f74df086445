"""Where others join in a run's life; `apps.py` of tasks and of usage say who does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from aitask.lib.hooks import Hook
from tasks.models import Run, Task
from workspaces.hostkit import wire
from workspaces.models import Workspace

HoldReason = Callable[[Run], str]
"""Why a queued run can't start now, as a sentence; empty when it can."""


def _no_hold(_workspace: Workspace) -> HoldReason:
    return lambda _run: ""


before_queue: Hook[[Task]] = Hook()
"""A run is asked for. Raises Refused when it may not be; a HostError is passed over."""
before_start: Hook[[Run]] = Hook()
"""A run is about to start on its host. Raises Refused or HostError when it can't."""
events_saved: Hook[[Run, list[wire.RunEvent]]] = Hook()
"""New events of a run, within the transaction that saves them."""
usage_changed: Hook[[Run]] = Hook()
"""The run is new, its saved row says other tokens or another cost than before, or it has ended."""
limit_reported: Hook[[Run, wire.LimitEvent, datetime]] = Hook()
"""The CLI of a run said how full its plan is (a `limit` event and its time)."""
run_ended: Hook[[Run]] = Hook()
"""The run has its final state, within the transaction that saves it."""
branch_changed: Hook[[int]] = Hook()
"""A branch of the workspace with this id is new or has new commits, other than by a run."""
repair: Hook[[]] = Hook()
"""Each round of the follower: find what a lost job or a dead worker left undone."""
hold_reason: Callable[[Workspace], HoldReason] = _no_hold
"""What else keeps the queued runs of a workspace back, read once for all of them."""
