"""Event lines that are broken in any way harm neither the follower of their host nor other runs."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.lib import columns, untrusted_json
from aitask.lib.text import storable
from aitask.tests.lab.mutations import MUTATIONS, mutated
from tasks.models import Event, Run
from tasks.rendering import render_event
from tasks.runs import reducer
from tasks.runs.follower import store
from tasks.runs.follower.watch import HostWatch
from tasks.tests.factories import make_run, make_task
from workspaces.hostkit.journal import Journal, span_of_lines
from workspaces.hostkit.serve.tail import MAX_EVENTS, _checked
from workspaces.hosts.link import MAX_DEPTH
from workspaces.tests.hostkit import replay

pytestmark = pytest.mark.slow


@cache
def recorded() -> list[bytes]:
    """The lines of events.jsonl that the recorded lines of both CLIs lead to."""
    tapes = [
        (replay.claude if sample.stem.startswith("claude") else replay.codex)(sample.stem)[1]
        for sample in sorted(replay.SAMPLES.glob("*.jsonl"))
    ]
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "events.jsonl")
        for tape in tapes:
            for event in tape.events:
                journal.add(event)  # type: ignore[arg-type]
        journal.close()
        written = journal.path.read_bytes()
    same = re.sub(rb"[0-9a-f]{8}-[0-9a-f-]{27}", b"3f2c", written)  # the same examples each time
    return re.sub(rb'"at":"[^"]+"', b'"at":"2026-11-22T08:00:00.123Z"', same).splitlines()


def as_sent(data: bytes) -> list[Any]:
    """The lines of an item as they arrive from a host that has read these bytes."""
    lines, _ = span_of_lines(data + b"\n", MAX_EVENTS)
    message = b'{"id":1,"item":{"lines":[' + b",".join(map(_checked, lines)) + b"]}}"
    found: list[Any] = untrusted_json.loads(message, depth=MAX_DEPTH)["item"]["lines"]
    assert len(found) == len(lines)
    return found


@settings(MUTATIONS, max_examples=10_000)
@given(mutated(recorded))
def test_each_line_becomes_one_event_that_can_be_applied_and_stored(data: bytes) -> None:
    run = Run(state=Run.State.STARTING, open_requests=[], usage_by_model={}, last_seq=4)
    lines = as_sent(data)
    events = store._numbered(run, lines)
    assert [event["seq"] for event in events] == list(range(5, 5 + len(lines)))
    for event in events:
        reducer.apply(run, event)
        row = store.row_of(1, event)
        assert storable(row.data) == row.data
        json.dumps(row.data, allow_nan=False)
    columns.fit(run, reducer.FIELDS)
    assert run.last_seq == 4 + len(lines)
    assert run.unread_lines <= len(lines)


def watch_of(*runs: Run) -> HostWatch:
    watch = HostWatch(runs[0].task.workspace.host)
    watch._runs, watch._stream = {run.run_dir: run.pk for run in runs}, Mock()
    return watch


def two_runs() -> tuple[Run, Run]:
    first = make_run(state=Run.State.RUNNING, run_dir="/runs/1")
    other = make_task(workspace=first.task.workspace)
    return first, make_run(task=other, state=Run.State.RUNNING, run_dir="/runs/2")


def text(seq: int, words: str = "unharmed") -> dict[str, Any]:
    return {"v": 1, "seq": seq, "at": "2026-11-22T08:00:00Z", "kind": "text", "text": words}


@pytest.mark.django_db
@settings(MUTATIONS, max_examples=200)
@given(st.lists(mutated(recorded), min_size=1, max_size=6))
def test_the_run_goes_on_and_so_does_its_neighbour(data: list[bytes]) -> None:
    run, neighbour = two_runs()
    watch = watch_of(run, neighbour)
    lines = as_sent(b"\n".join(data))
    watch._take({"dir": "/runs/1", "lines": lines, "start": 0, "offset": 10})
    watch._take({"dir": "/runs/2", "lines": [text(1)], "start": 0, "offset": 20})
    for each in (run, neighbour):
        each.refresh_from_db()
    assert (run.event_offset, run.last_seq) == (10, len(lines))
    assert (neighbour.last_seq, neighbour.activity, neighbour.unread_lines) == (1, "unharmed", 0)
    rows = list(run.events.order_by("seq"))
    assert len(rows) == len(lines)
    assert all(len(render_event(run, row)) < 500_000 for row in rows)


HOSTILE: list[Any] = [
    {"kind": "tool", "id": "t", "name": "t", "title": "t", "input": json.loads("[" * 600 + "]" * 600)},
    {"kind": "text", "text": "x", "seq": "2"},
    {"kind": "text", "text": "x", "seq": 1},
    {"kind": "text", "text": "x", "seq": -1},
    {"kind": "text", "text": "x", "seq": 2.0},
    {"kind": "text", "text": "x", "seq": 2**40},
    {"text": "x"},
    None,
    "text",
]


@pytest.mark.django_db
@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: str(bad)[:40])
def test_what_is_no_event_is_stored_as_raw_and_what_follows_is_read(bad: Any) -> None:
    run = make_run(state=Run.State.RUNNING)
    bad = {"seq": 2, **bad} if isinstance(bad, dict) and "name" in bad else bad
    assert store.save_events(run.pk, [text(1), bad, text(2, "next"), text(3, "last")], start=0, end=9)
    run.refresh_from_db()
    assert [row.kind for row in run.events.order_by("seq")] == ["text", "raw", "text", "text"]
    assert (run.last_seq, run.unread_lines, run.activity) == (4, 1, "last")
    raw = run.events.get(kind="raw")
    assert "1 line of this run could not be read" in render_event(run, raw)


@pytest.mark.django_db
def test_lines_that_a_power_cut_has_replaced_by_nuls_are_one_raw_line() -> None:
    run = make_run(state=Run.State.RUNNING)
    lines = as_sent(json.dumps(text(1)).encode() + b"\n" + b"\0" * 3000)
    store.save_events(run.pk, [*lines, text(40, "after"), text(41, "later")], start=0, end=9)
    run.refresh_from_db()
    assert (run.last_seq, run.unread_lines, run.activity) == (4, 1, "later")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "event",
    [
        {"kind": "started", "cli_session": "s" * 5000, "cli_version": "v" * 5000, "model": "m" * 5000},
        {
            "kind": "usage",
            "input_tokens": 2**52,
            "context_used": 2**40,
            "context_window": -5,
            "cost_usd": 1e12,
        },
        {"kind": "usage", "by_model": {"m" * 5000: {"input_tokens": 5, "cost_usd": 9e8}}, "cost_usd": 9e8},
        {"kind": "limit", "status": "reached", "resets_at": "0001-01-01T00:00:00+14:00"},
        {"kind": "limit", "status": "warning", "windows": [{"window": "w" * 999, "used_percent": 1e9}]},
        {"kind": "k" * 999},
        {"kind": "settings", "model": "x" * 999, "reasoning_effort": "y" * 999, "permission_mode": "z" * 99},
        {"kind": "text", "at": "9999-12-31T23:59:59-14:00", "text": "x" * 300_000},
    ],
    ids=lambda event: event["kind"][:10],
)
def test_a_value_that_is_too_large_for_its_column_is_no_obstacle(event: dict[str, Any]) -> None:
    run = make_run(state=Run.State.RUNNING)
    store.save_events(run.pk, [text(1), {"seq": 2, **event}, text(3, "next")], start=0, end=9)
    run.refresh_from_db()
    assert (run.last_seq, run.activity) == (3, "next")


@pytest.mark.django_db
def test_a_line_that_makes_a_hook_fail_is_the_only_one_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_run: Run, event: Any, _at: Any) -> None:
        if event["status"] == "reached":
            with connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column")

    monkeypatch.setattr("tasks.runs.hooks.limit_reported", fail)
    run = make_run(state=Run.State.RUNNING)
    bad = {"seq": 2, "kind": "limit", "status": "reached", "resets_at": "2026-11-22T08:00:00Z"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.runs.follower.store.columns.is_outage", lambda error: False)
        store.save_events(run.pk, [text(1), bad, text(3, "next")], start=0, end=9)
    run.refresh_from_db()
    assert [row.kind for row in run.events.order_by("seq")] == ["text", "raw", "text"]
    assert (run.limit_resets_at, run.activity) == (None, "next")


@pytest.mark.django_db
def test_what_fails_for_one_run_again_and_again_is_skipped_and_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.runs.follower.watch.save_events", Mock(side_effect=RuntimeError("a bug")))
    run, neighbour = two_runs()
    watch = watch_of(run, neighbour)
    for _ in range(3):
        watch._runs["/runs/1"] = run.pk
        watch._take({"dir": "/runs/1", "lines": [text(1), text(2)], "start": 0, "offset": 10})
        assert list(watch._runs) == ["/runs/2"]
    run.refresh_from_db()
    assert (run.event_offset, run.last_seq, run.unread_lines) == (10, 2, 2)
    assert "a bug" in Event.objects.get(run=run).data["why"]


@pytest.mark.django_db
def test_an_outcome_of_which_nothing_fits_ends_its_run_nevertheless() -> None:
    run, neighbour = two_runs()
    watch = watch_of(run, neighbour)
    outcome: Any = {
        "state": "failed",
        "reason_code": "c" * 500,
        "reason": "\0",
        "last_seq": 2**40,
        "commit": "f" * 500,
        "cli_session": "s" * 500,
        "usage": {"input_tokens": 10**30, "context_used": 2**39},
        "diff": {"files": 2**39, "additions": -4, "deletions": "many"},
        "finished_at": "0001-01-01T00:00:00+14:00",
    }
    watch._take({"dir": "/runs/1", "outcome": outcome})
    run.refresh_from_db()
    assert run.state == Run.State.FAILED


@pytest.mark.django_db
def test_an_outcome_that_can_never_be_saved_leaves_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    run, neighbour = two_runs()
    watch = watch_of(run, neighbour)
    monkeypatch.setattr(
        "tasks.runs.endings._save_work", lambda run, outcome: 1 / 0 if outcome.get("commit") else None
    )
    for _ in range(3):
        watch._runs["/runs/1"] = run.pk
        watch._take({"dir": "/runs/1", "outcome": {"state": "succeeded", "commit": "abc"}})
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED
    assert "could not be saved" in run.reason
