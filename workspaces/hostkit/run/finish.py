"""The end of a run, in one place: leftovers committed, the last event, the outcome."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple, Optional, cast

from .. import agents
from ..base.cli import EndedRun
from ..base.talk import NONSENSE
from ..files import dumps, write_atomic
from ..folder import RunFolder
from ..journal import Journal, now, read_events
from ..outcome import Outcome
from ..wire import PROTOCOL, Json, RunOutcome, RunResult, RunSpec, UsageTotals
from .commit import Work, save_work

EndedBy = Literal["runner", "guard", "serve"]


def finish(folder: RunFolder, outcome: Outcome, ended_by: EndedBy, swept: int = 0) -> RunOutcome:
    """Commit what was left, append `finished`, write outcome.json; returns what that file says."""
    earlier = folder.read_outcome()
    if earlier:
        return cast("RunOutcome", earlier)
    spec = folder.read_spec()
    result = folder.read_result()
    work = save_work(spec) if spec else Work()
    reported = _reported(folder, result)
    if spec and outcome.state != "succeeded":
        reported = reported._replace(usage=_final_usage(reported, folder, spec, _is_cut_off(folder, outcome)))
    last_seq = _add_finished(folder, outcome, work)
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


def _add_finished(folder: RunFolder, outcome: Outcome, work: Work) -> int:
    journal = Journal(folder.events)
    for notice in work.notices:
        journal.add({"kind": "notice", "text": notice})
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
    """What the CLI reported of its session."""

    session: Optional[str] = None
    usage: Optional[UsageTotals] = None
    thread_total: Optional[Json] = None


def _reported(folder: RunFolder, result: Optional[RunResult]) -> Reported:
    """From the runner's result, or where it died before from its events."""
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
    reported: Reported, folder: RunFolder, spec: RunSpec, cut_off: bool
) -> Optional[UsageTotals]:
    """The tokens as the CLI's records have them, where the CLI could not report all of them."""
    env = dict(os.environ, **(spec.get("environment") or {}))
    run = EndedRun(folder.raw, str(reported.session or ""), env, cut_off)
    try:
        return agents.get(spec["backend"]).final_usage(reported.usage, run)
    except (OSError, *NONSENSE):
        return reported.usage  # the lower bound is better than no outcome


def _is_cut_off(folder: RunFolder, outcome: Outcome) -> bool:
    """Whether a turn was running. When the CLI died, the runner closed what was open after its `error`."""
    cut_off = at_error = False
    for event in read_events(folder.events):
        if event.get("kind") in SIGNS:
            cut_off = True
        elif event.get("retrying") or event.get("state") == "idle":
            cut_off = False
        elif event.get("kind") == "error":
            at_error = cut_off
    return at_error if outcome.code == "cli_died" else cut_off


SIGNS = ("message", "text", "thinking", "tool", "usage")
"""That the model is asked."""


ENVELOPE = ("v", "seq", "at", "kind", "cut")
