"""A run that keeps a list, works in the background, compacts its conversation and prints unknown lines."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks.models import Run
from tasks.runs.follower.store import save_events
from tasks.tests.factories import make_run, make_task
from workspaces.models import Workspace

STEPS = ("Read the code", "Find the slow query", "Add an index", "Write the tests", "Measure", "Clean up")


def save(run: Run, *events: dict[str, Any]) -> None:
    """Save events of the host, as the follower does."""
    run.refresh_from_db()
    first, at = run.last_seq + 1, timezone.now().isoformat()
    lines = [{"v": 1, "seq": seq, "at": at, **event} for seq, event in enumerate(events, first)]
    assert save_events(run.pk, lines, start=run.event_offset, end=run.event_offset + 1)
    run.refresh_from_db()


def progress(done: int) -> dict[str, Any]:
    states = ["done"] * done + ["active"] + ["pending"] * (len(STEPS) - done - 1)
    items = [{"text": text, "state": state} for text, state in zip(STEPS, states, strict=True)]
    return {"kind": "progress", "items": items}


def work(key: str, kind: str, title: str, state: str = "running", **fields: Any) -> dict[str, Any]:
    since = timezone.now().isoformat()
    head = {"kind": "background", "id": key, "work": kind, "title": title, "state": state, "since": since}
    return {**head, **fields}


def tool(key: str, name: str, title: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "tool", "id": key, "name": name, "title": title, "input": {"title": title}, **fields}


def result(key: str, output: str = "ok") -> dict[str, Any]:
    return {"kind": "tool_result", "id": key, "output": output, "is_error": False}


def usage(used: int) -> dict[str, Any]:
    tokens = {"input_tokens": 1200, "output_tokens": 800, "cache_read_tokens": 90000, "cache_write_tokens": 0}
    return {"kind": "usage", **tokens, "by_model": {}, "context_used": used, "context_window": 200_000}


def agent_at_work() -> list[dict[str, Any]]:
    return [
        {"kind": "started", "backend": "claude_code", "cli_version": "2.1.332", "cli_session": "s1"},
        {"kind": "message", "id": "prompt", "text": "Make the list of orders fast.", "by": "prompt"},
        {"kind": "title", "text": "Speed up the list of orders"},
        progress(0),
        {"kind": "text", "text": "I will look at the query, and let a **sub-agent** read the tests."},
        tool("t1", "Bash", "npm run dev"),
        work("b1", "command", "npm run dev", tool="t1"),
        result("t1", "Command running in background with ID: b1."),
        tool("t2", "Agent", "Read the tests"),
        work("a1", "agent", "Read the tests", tool="t2", tokens=15814, tool_uses=1, doing="Running grep"),
        result("t2", "Async agent launched."),
        {"kind": "text", "text": "I look for tests of orders.", "parent": "t2"},
        tool("t3", "Bash", "grep -rn orders tests", parent="t2"),
        result("t3", "tests/test_orders.py:12"),
        {"kind": "raw", "line": {"type": "telemetry"}, "type": "telemetry"},
        {"kind": "raw", "line": {"type": "telemetry"}, "type": "telemetry", "count": 8},
        usage(152_000),
        progress(3),
        tool("t4", "Agent", "Measure the query"),
        work("a2", "agent", "Measure the query", tool="t4"),
        work(
            "a2",
            "agent",
            "Measure the query",
            "completed",
            tool="t4",
            tokens=4200,
            result="9 ms",
        ),
        {"kind": "compaction", "phase": "started", "trigger": "manual"},
        {"kind": "compaction", "phase": "finished", "trigger": "manual", "before": 152_000, "after": 31_000},
        usage(31_000),
        {
            "kind": "model_change",
            "why": "fallback",
            "before": "opus",
            "model": "sonnet",
            "text": "Overloaded",
        },
        {"kind": "local_command", "name": "usage", "output": "Total cost: $0.12\nTotal code changes: 3"},
        {"kind": "raw", "line": {"type": "new_thing"}, "type": "new_thing"},
        {"kind": "message_returned", "id": "x", "text": "Also check Firefox.", "reason": "The turn ended."},
    ]


def build(workspace: Workspace, title: str = "Make the list of orders fast") -> Run:
    task = make_task(workspace=workspace, title=title, status="running", prompt="Make it fast.")
    fields: dict[str, Any] = {"state": "running", "run_dir": "/no/such/run", "started_at": timezone.now()}
    run = make_run(task=task, cli_session="s1", **fields)
    save(run, *agent_at_work())
    return run
