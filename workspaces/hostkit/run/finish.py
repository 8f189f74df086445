"""The end of a run: commits uncommitted work, writes the last event and the outcome."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple, Optional, Sequence, cast

from .. import agents
from ..base.cli import EndedRun
from ..base.talk import MALFORMED
from ..files import dumps, write_atomic
from ..folder import RunFolder
from ..journal import Journal, now, read_events
from ..outcome import Outcome
from ..wire import PROTOCOL, Json, OutsideEvent, RunOutcome, RunResult, RunSpec, UsageTotals
from .commit import Work, save_work
from .outside import changes_after

EndedBy = Literal["runner", "guard", "serve"]


def finish(folder: RunFolder, outcome: Outcome, ended_by: EndedBy, swept: int = 0) -> RunOutcome:
    """Commit uncommitted work, append `finished`, write outcome.json, and return its content."""
    earlier = folder.read_outcome()
    if earlier:
        return cast("RunOutcome", earlier)
    spec = folder.read_spec()
    result = folder.read_result()
    work = save_work(spec) if spec else Work()
    outside = changes_after(folder, spec) if spec else []
    reported = _reported(folder, result)
    if spec and outcome.state != "succeeded":
        usage = _final_usage(reported, folder, spec, _was_in_turn(folder, outcome))
        reported = reported._replace(usage=usage)
    last_seq = _add_finished(folder, outcome, work, outside)
    written: RunOutcome = {
        "v": PROTOCOL,
        "key": spec.get("key") if spec else None,
        "state": outcome.state,
        "reason_code": outcome.code,
        "reason": outcome.reason,
        "resets_at": outcome.resets_at,
        "finished_at": now(),
        "last_seq": last_seq,
        "cli_session": reported.session,
        "usage": reported.usage,
        "thread_total": reported.thread_total,
        "commit": work.commit,
        "committed": work.committed,
        "diff": work.diff,
        "ended_by": "runner" if result and ended_by == "guard" else ended_by,
        "swept": swept,
    }
    write_atomic(folder.outcome, dumps(written))
    return written


def _add_finished(folder: RunFolder, outcome: Outcome, work: Work, outside: Sequence[OutsideEvent]) -> int:
    journal = Journal(folder.events)
    for notice in work.notices:
        journal.add({"kind": "notice", "text": notice})
    for change in outside:
        journal.add(change)
    journal.add(
        {
            "kind": "finished",
            "state": outcome.state,
            "reason_code": outcome.code,
            "reason": outcome.reason,
            "resets_at": outcome.resets_at,
            "commit": work.commit,
            "diff": work.diff,
        }
    )
    journal.close()
    return journal.last_seq


class Reported(NamedTuple):
    """What the CLI has reported."""

    session: Optional[str] = None
    usage: Optional[UsageTotals] = None
    thread_total: Optional[Json] = None


def _reported(folder: RunFolder, result: Optional[RunResult]) -> Reported:
    """Read it from the runner's result, or from its events if it died before writing one."""
    if result:
        return Reported(result.get("cli_session"), result.get("usage"), result.get("thread_total"))
    reported = Reported()
    for event in read_events(folder.events):
        if event.get("kind") == "started":
            reported = reported._replace(session=event.get("cli_session"))
        elif event.get("kind") == "usage":
            usage = {name: value for name, value in event.items() if name not in ENVELOPE}
            reported = Reported(reported.session, cast("UsageTotals", usage), event.get("thread_total"))
    return reported


def _final_usage(
    reported: Reported, folder: RunFolder, spec: RunSpec, in_turn: bool
) -> Optional[UsageTotals]:
    """Return the reported tokens, completed from the CLI's transcripts."""
    env = dict(os.environ, **(spec.get("environment") or {}))
    run = EndedRun(folder.raw, str(reported.session or ""), env, in_turn)
    try:
        return agents.get(spec["backend"]).final_usage(reported.usage, run)
    except (OSError, *MALFORMED):
        return reported.usage  # a lower bound is better than no outcome


def _was_in_turn(folder: RunFolder, outcome: Outcome) -> bool:
    """Whether the run ended during a turn.

    If the CLI died, the state before its `error` counts: the runner closes open items after it.
    """
    in_turn = at_error = False
    for event in read_events(folder.events):
        if event.get("kind") in TURN_EVENTS:
            in_turn = True
        elif event.get("retrying") or event.get("state") == "idle":
            in_turn = False
        elif event.get("kind") == "error":
            at_error = in_turn
    return at_error if outcome.code == "cli_died" else in_turn


TURN_EVENTS = ("message", "text", "thinking", "tool", "usage")
"""Kinds of events that occur only during a turn."""


ENVELOPE = ("v", "seq", "at", "kind", "cut")
