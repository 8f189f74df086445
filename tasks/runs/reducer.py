"""Applies events of a host to the row of their run. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from tasks.models import Run
from tasks.runs import work
from workspaces.hostkit import wire

FIELDS = (
    "state",
    "started_at",
    "last_heard_at",
    "cli_session",
    "cli_version",
    "model",
    "reasoning_effort",
    "permission_mode",
    "activity",
    "open_requests",
    "progress",
    "proposals",
    "proposal_notes",
    "background",
    "session_title",
    "raw_lines",
    "compacting",
    "limit_resets_at",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_source",
    "usage_by_model",
    "thread_total",
    "context_used",
    "context_window",
    "last_seq",
    "unread_lines",
    "tmux_window",
)
"The columns that `apply` may change."
YEARS = range(2000, 3000)
"Years of times that pages can show in every time zone."
MOST_REQUESTS = 100


def apply(run: Run, event: wire.RunEvent) -> None:
    """Update `run` by `event`; the caller saves FIELDS. Unknown kinds change only `last_seq`."""
    handler = HANDLERS.get(event["kind"])
    if handler:
        handler(run, event)
    run.last_seq = event["seq"]
    if run.is_active and event["kind"] != "finished":
        run.state = Run.State.WAITING if run.open_requests else _at_work(run)


def take_usage(run: Run, usage: wire.UsageTotals) -> None:
    """Set the totals of the run. The host sends totals, so a repeated event changes nothing."""
    for name in wire.TOKEN_KINDS:
        setattr(run, name, max(0, cast(int, usage.get(name) or 0)))
    cost = usage.get("cost_usd")
    if cost is not None:
        run.cost_usd = Decimal(str(cost))
        run.cost_source = Run.CostSource.REPORTED
    elif usage.get("open") is False:  # it ended without reporting the cost of its last answers
        run.cost_usd = run.cost_source = None
    run.usage_by_model = usage.get("by_model") or {}
    run.thread_total = usage.get("thread_total") or run.thread_total
    used = usage.get("context_used")
    run.context_used = run.context_used if used is None else used  # a compaction may leave 0
    run.context_window = usage.get("context_window") or run.context_window


def parse_time(text: str | None) -> datetime | None:
    """Parse a time with a zone from the host; None if it is missing or invalid."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        if moment is None or moment.tzinfo is None or moment.year not in YEARS:
            return None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


def _at_work(run: Run) -> str:
    """Return the state of a run without open requests: starting until its CLI has reported a start."""
    return Run.State.STARTING if run.started_at is None else Run.State.RUNNING


def _started(run: Run, event: wire.StartedEvent) -> None:
    run.started_at = run.started_at or parse_time(event.get("at"))
    run.cli_session = event.get("cli_session") or run.cli_session
    run.cli_version = event.get("cli_version") or run.cli_version


def _settings(run: Run, event: wire.SettingsEvent) -> None:
    """Update the settings that apply from the next turn on."""
    run.model = (event.get("model") or run.model)[:100]
    run.reasoning_effort = (event.get("reasoning_effort") or run.reasoning_effort)[:20]
    if event.get("permission_mode") in wire.PERMISSION_MODES:
        run.permission_mode = str(event["permission_mode"])


def _text(run: Run, event: wire.TextEvent | wire.ErrorEvent) -> None:
    _show_first_line(run, event["text"])


def _tool(run: Run, event: wire.ToolEvent) -> None:
    _show_first_line(run, event["title"])


def _show_first_line(run: Run, words: str) -> None:
    if lines := words.strip().splitlines():
        run.activity = lines[0][:200]


def _file_change(run: Run, event: wire.FileChangeEvent) -> None:
    verb = {"add": "Wrote", "delete": "Deleted"}.get(event["change"], "Edited")
    run.activity = f"{verb} {event['path']}"[:200]


def _request(run: Run, event: wire.RequestEvent) -> None:
    details = {k: v for k, v in event.items() if k not in ("v", "seq", "kind", "request_kind")}
    request = {**details, "kind": event["request_kind"]}
    others = [r for r in run.open_requests if r["id"] != event["id"]]
    run.open_requests = [*others[-MOST_REQUESTS:], request]


def _request_closed(run: Run, event: wire.RequestClosedEvent) -> None:
    run.open_requests = [r for r in run.open_requests if r["id"] != event["id"]]


def _limit(run: Run, event: wire.LimitEvent) -> None:
    if event["status"] == "reached":
        run.limit_resets_at = parse_time(event.get("resets_at"))


def _notice(run: Run, event: wire.NoticeEvent) -> None:
    if event.get("code") == wire.WINDOW_LOST:
        run.tmux_window = ""


def _finished(run: Run, event: wire.FinishedEvent) -> None:
    run.open_requests, run.background, run.compacting = [], [], False
    run.limit_resets_at = parse_time(event.get("resets_at")) or run.limit_resets_at


HANDLERS: dict[str, Callable[[Run, Any], None]] = {
    "started": _started,
    "settings": _settings,
    "text": _text,
    "tool": _tool,
    "file_change": _file_change,
    "error": _text,
    "request": _request,
    "request_closed": _request_closed,
    "usage": take_usage,
    "limit": _limit,
    "notice": _notice,
    **work.HANDLERS,
    "finished": _finished,
}
