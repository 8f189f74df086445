"""Applies events about the agent's own list, its background work and its session to the row of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tasks.models import Run
from workspaces.hostkit import wire
from workspaces.hostkit.base import proposals

MOST_STEPS, LONGEST_STEP = 100, 200
MOST_WORKS, LONGEST_WORDS = 50, 300
MOST_TYPES = 60
OTHER = "other"
WORK_FIELDS = ("id", "work", "title", "since", "tool", "waited", "doing", "tokens", "tool_uses", "seconds")
"What the row keeps of a background event."


def _progress(run: Run, event: wire.ProgressEvent) -> None:
    items = [(item["text"].strip()[:LONGEST_STEP], item["state"]) for item in event["items"][:MOST_STEPS]]
    run.progress = [{"text": text, "state": state} for text, state in items if text]


def _proposals(run: Run, event: wire.ProposalsEvent) -> None:
    """Keep the newest proposal of a plan run. The agent could have written the event itself."""
    if not run.is_plan:
        return
    reading = proposals.read(event["items"])
    if reading.problem:
        return
    run.proposals = reading.items
    notes = [*(event.get("notes") or []), *reading.notes]
    run.proposal_notes = [proposals.one_line(note)[:LONGEST_WORDS] for note in notes[:MOST_WORKS]]
    count = len(reading.items)
    run.activity = f"Proposed {count} task{'' if count == 1 else 's'}"


def _background(run: Run, event: wire.BackgroundEvent) -> None:
    """Put the work at its place; what has ended is removed."""
    others = [work for work in run.background if work.get("id") != event["id"]]
    kept = {name: _short(cast(Any, event)[name]) for name in WORK_FIELDS if name in event}
    run.background = [*others, kept][-MOST_WORKS:] if event["state"] == "running" else others


def _short(value: Any) -> Any:
    return value[:LONGEST_WORDS] if isinstance(value, str) else value


def _compaction(run: Run, event: wire.CompactionEvent) -> None:
    run.compacting = event["phase"] == "started"


def _title(run: Run, event: wire.TitleEvent) -> None:
    run.session_title = " ".join(event["text"].split())[:200]


def _session(run: Run, event: wire.SessionEvent) -> None:
    run.cli_session = event["cli_session"] or run.cli_session


def _raw(run: Run, event: wire.RawEvent) -> None:
    """Count a line that the app does not know. Lines that it could not read are counted by themselves."""
    if event.get("unread"):
        return
    kind = (event.get("type") or OTHER)[:60]
    counts = dict(run.raw_lines)
    if kind not in counts and len(counts) >= MOST_TYPES:
        kind = OTHER
    counts[kind] = counts.get(kind, 0) + max(1, event.get("count") or 1)
    run.raw_lines = counts


HANDLERS: dict[str, Callable[[Run, Any], None]] = {
    "progress": _progress,
    "proposals": _proposals,
    "background": _background,
    "compaction": _compaction,
    "title": _title,
    "session": _session,
    "raw": _raw,
}
