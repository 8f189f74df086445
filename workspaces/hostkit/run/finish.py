"""The end of a run, in one place: leftovers committed, the last event, the outcome."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .. import PROTOCOL, agents
from ..base.cli import EndedRun
from ..base.talk import NONSENSE
from ..files import Json, dumps, read_json, write_atomic
from ..folder import RunFolder
from ..journal import Journal, now, read_events
from ..outcome import Outcome
from .commit import Work, save_work


def finish(folder: RunFolder, outcome: Outcome, ended_by: str, swept: int = 0) -> Json:
    """Commit what was left, append `finished`, write outcome.json; returns what that file says."""
    earlier = folder.read_outcome()
    if earlier:
        return earlier
    spec = read_json(folder.spec) or {}
    result = read_json(folder.result)
    work = save_work(spec)
    told = _told(folder, result)
    if outcome.state != "succeeded":
        told["usage"] = _final_usage(told, folder, spec, _is_cut_off(folder, outcome))
    last_seq = _add_finished(folder, outcome, work)
    written = {
        "v": PROTOCOL,
        "key": spec.get("key"),
        "state": outcome.state,
        "reason_code": outcome.code,
        "reason": outcome.reason,
        "resets_at": outcome.resets_at,
        "finished_at": now(),
        "last_seq": last_seq,
        "cli_session": told["cli_session"],
        "usage": told["usage"],
        "thread_total": told["thread_total"],
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
        journal.add("notice", text=notice)
    journal.add(
        "finished",
        state=outcome.state,
        reason_code=outcome.code,
        reason=outcome.reason,
        resets_at=outcome.resets_at,
        commit=work.commit,
        diff=work.diff,
    )
    journal.close()
    return journal.last_seq


def _told(folder: RunFolder, result: Optional[Json]) -> Dict[str, Any]:
    """Session and tokens: from the runner's result, or where it died before from its events."""
    told: Dict[str, Any] = {"cli_session": None, "usage": None, "thread_total": None}
    if result:
        told.update((name, result.get(name)) for name in told)
        return told
    for event in read_events(folder.events):
        if event.get("kind") == "started":
            told["cli_session"] = event.get("cli_session")
        elif event.get("kind") == "usage":
            told["usage"] = {name: value for name, value in event.items() if name not in ENVELOPE}
            told["thread_total"] = event.get("thread_total")
    return told


def _final_usage(told: Json, folder: RunFolder, spec: Json, cut_off: bool) -> Optional[Json]:
    """The tokens as the CLI's records have them, where the CLI could not report all of them."""
    usage: Optional[Json] = told["usage"]
    env = dict(os.environ, **(spec.get("environment") or {}))
    run = EndedRun(folder.raw, str(told["cli_session"] or ""), env, cut_off)
    try:
        return agents.get(str(spec.get("backend"))).final_usage(usage, run)
    except (OSError, *NONSENSE):
        return usage  # the lower bound is better than no outcome


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
