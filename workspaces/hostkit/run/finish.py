"""The end of a run, in one place: leftovers committed, the last event, the outcome."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .. import PROTOCOL
from ..agents.claude_code.usage import settled
from ..base.transcripts import claude_messages
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
        told["usage"] = _whole(told, folder, spec, _breaks_off(folder, outcome))
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


def _whole(told: Json, folder: RunFolder, spec: Json, breaks_off: bool) -> Optional[Json]:
    """A CLI that was killed could not tell the tokens of its last answers; claude's transcript has them."""
    usage: Optional[Json] = told["usage"]
    if spec.get("backend") == "codex":
        known = usage or {}
        return dict(known, untold=int(known.get("untold") or 0) + 1) if breaks_off else usage
    if not told["cli_session"] or not (breaks_off or (usage or {}).get("open")):
        return usage
    env = dict(os.environ, **(spec.get("environment") or {}))
    try:
        return settled(folder.raw, claude_messages(env, told["cli_session"]))
    except (OSError, ValueError, TypeError, AttributeError):  # the lower bound is better than no outcome
        return usage


def _breaks_off(folder: RunFolder, outcome: Outcome) -> bool:
    """A turn was going on. Codex tells the tokens of an answer once its commands have ended, and asks for the
    next one at once: so there is always one that it did not tell. Of a CLI that died, the runner has closed
    what was open after it said so."""
    breaks_off = at_error = False
    for event in read_events(folder.events):
        if event.get("kind") in SIGNS:
            breaks_off = True
        elif event.get("retrying") or event.get("state") == "idle":
            breaks_off = False
        elif event.get("kind") == "error":
            at_error = breaks_off
    return at_error if outcome.code == "cli_died" else breaks_off


SIGNS = ("message", "text", "thinking", "tool", "usage")
"""That the model is asked."""


ENVELOPE = ("v", "seq", "at", "kind", "cut")
