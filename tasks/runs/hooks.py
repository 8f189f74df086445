"""Hooks in a run's life cycle. `apps.py` of tasks and of usage join them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from aitask.lib.hooks import Hook
from tasks.models import Event, Run, Task
from workspaces.hostkit import wire
from workspaces.models import Workspace

HoldReason = Callable[[Run], str]
"""Returns why a queued run can't start now, as a sentence; empty if it can."""


def _no_hold(_workspace: Workspace) -> HoldReason:
    return lambda _run: ""


before_queue: Hook[[Task]] = Hook()
"""A run is about to be queued. Raises Refused if it must not be; a HostError is ignored."""
before_start: Hook[[Run]] = Hook()
"""A run is about to start on its host. Raises Refused or HostError if it can't."""
events_saved: Hook[[Run, list[wire.RunEvent]]] = Hook()
"""New events of a run, within the transaction that saves them."""
rows_saved: Hook[[Run, list[Event]]] = Hook()
"""The rows of these events, within the same transaction."""
usage_changed: Hook[[Run]] = Hook()
"""The run is new, its tokens or cost have changed, or it has ended."""
limit_reported: Hook[[Run, wire.LimitEvent, datetime]] = Hook()
"""The CLI of a run has reported a plan limit (a `limit` event and its time)."""
run_ended: Hook[[Run]] = Hook()
"""The run has its final state, within the transaction that saves it."""
cli_held: Hook[[Run, str, str]] = Hook()
"""A queued run waits because its CLI is on hold: the reason, and a key of what is held."""
branch_changed: Hook[[int]] = Hook()
"""A branch of the workspace with this id is new or has new commits that are not from a run."""
repair: Hook[[]] = Hook()
"""Called in each round of the follower: enqueue lost jobs again."""
hold_reason: Callable[[Workspace], HoldReason] = _no_hold
"""Other holds of the queued runs of a workspace, read once for all of them."""
