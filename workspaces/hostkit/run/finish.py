"""The end of a run: commits uncommitted work, writes the last event and the outcome."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, List, Literal, NamedTuple, Optional, Sequence, Tuple, cast

from .. import agents
from ..base.cli import EndedRun
from ..base.talk import MALFORMED
from ..files import dumps
from ..folder import RunFolder
from ..journal import Journal, now, read_events
from ..outcome import DISK_FULL, Outcome, no_room_for
from ..reserve import FULL, is_full, release, write_reserved
from ..wire import PROTOCOL, Json, RunEvent, RunOutcome, RunResult, RunSpec, UsageTotals
from .commit import Work, save_work
from .made import made_pictures
from .outside import changes_after

EndedBy = Literal["runner", "guard", "serve"]
LOCK_SECONDS = 330.0
"""Longer than a commit may take."""
ROOM_SECONDS = 10.0
"""How long the last events wait for room on a full disk."""


def finish(folder: RunFolder, outcome: Outcome, ended_by: EndedBy, swept: int = 0) -> RunOutcome:
    """Commit uncommitted work, append `finished`, write outcome.json, and return its content.

    Only one process does it at a time.
    """
    with _alone(folder):
        return _finish(folder, outcome, ended_by, swept)


def _finish(folder: RunFolder, outcome: Outcome, ended_by: EndedBy, swept: int) -> RunOutcome:
    earlier = folder.read_outcome()
    if earlier:
        return cast("RunOutcome", earlier)
    spec = folder.read_spec()
    result = folder.read_result()
    work = _save_work(spec, _begun(folder, spec)) if spec else Work()
    outcome = _as_it_is(outcome, spec, work)
    more: List[RunEvent] = [*(changes_after(folder, spec) if spec else [])]
    made = made_pictures(folder, spec, _begun(folder, spec)) if spec and not work.is_gone else None
    if made:
        more.insert(0, made)
    reported = _reported(folder, result)
    if spec:
        reported = reported._replace(usage=_final_usage(reported, folder, spec, outcome))
    last_seq, unsaved = _add_finished(folder, outcome, work, more)
    if unsaved and outcome.state == "succeeded":
        outcome = no_room_for(unsaved)
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
        "left_out": work.left_out,
        "diff": work.diff,
        "ended_by": "runner" if result and ended_by == "guard" else ended_by,
        "swept": swept,
    }
    _write(folder, written)
    return written


def _begun(folder: RunFolder, spec: RunSpec) -> float:
    """Return when the agent began: after the setup command, whose files are not its work."""
    times = [0.0]
    for path in (folder.prompt, Path(spec.get("setup_marker") or "/nonexistent")):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


@contextmanager
def _alone(folder: RunFolder) -> Iterator[None]:
    """Hold the lock of the run's folder; without it, after a while, or if the folder is gone."""
    try:
        handle = os.open(str(folder.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _locked(handle) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _save_work(spec: RunSpec, since: float) -> Work:
    """Commit uncommitted work; on a full disk, try again for a while."""
    deadline = time.monotonic() + ROOM_SECONDS
    work = save_work(spec, since)
    while _found_no_room(work) and time.monotonic() < deadline:
        time.sleep(1.0)
        work = save_work(spec, since)
    return work


def _found_no_room(work: Work) -> bool:
    return any(os.strerror(number) in notice for number in FULL for notice in work.notices)


def _as_it_is(outcome: Outcome, spec: Optional[RunSpec], work: Work) -> Outcome:
    """Return the outcome; no success if the work is gone or could not be saved."""
    if outcome.state != "succeeded" or spec is None:
        return outcome
    if work.is_gone:
        reason = f"The agent finished. {work.notices[0]} What was not committed in it is lost."
        return Outcome("failed", "worktree_gone", reason)
    if _found_no_room(work):
        reason = f"{DISK_FULL}: the agent's work could not be committed, and is still in its worktree."
        return Outcome("failed", "disk_full", reason)
    return outcome


def _write(folder: RunFolder, written: RunOutcome) -> None:
    """Write outcome.json; on a full disk, into reserved space and without what does not fit."""
    try:
        write_reserved(folder.outcome, dumps(written))
    except OSError as error:
        if not is_full(error):
            raise
        reason = str(written.get("reason") or "")[:1000]
        short: RunOutcome = {**written, "usage": None, "thread_total": None, "reason": reason}
        write_reserved(folder.outcome, dumps(short))
    release(folder.outcome, folder.result)


def _add_finished(
    folder: RunFolder, outcome: Outcome, work: Work, more: Sequence[RunEvent]
) -> Tuple[int, int]:
    """Return the number of the last event, and how many could not be written because the disk is full."""
    journal = Journal(folder.events)
    for notice in (*work.notices, *work.left_out):
        journal.add({"kind": "notice", "text": notice})
    for event in more:
        journal.add(event)
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
    unsaved = journal.close(ROOM_SECONDS)
    return journal.last_seq - unsaved, unsaved


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
    reported: Reported, folder: RunFolder, spec: RunSpec, outcome: Outcome
) -> Optional[UsageTotals]:
    """Return the reported tokens, completed from the CLI's transcripts."""
    ended_early = outcome.state != "succeeded"
    env = dict(os.environ, **(spec.get("environment") or {}))
    in_turn = ended_early and _was_in_turn(folder, outcome)
    run = EndedRun(folder.raw, str(reported.session or ""), env, in_turn, _begun(folder, spec))
    usage = reported.usage
    try:
        cli = agents.get(spec["backend"])
        usage = cli.final_usage(usage, run) if ended_early else usage
        return cli.unreported_usage(usage, run)
    except (OSError, ImportError, KeyError, *MALFORMED):
        return usage  # a lower bound is better than no outcome


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
