"""What an event changes in the row of its run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tasks.models import Run
from tasks.runs import reducer
from workspaces.hosts import untrusted

AT = "2026-11-22T08:00:00.123Z"


@pytest.fixture
def run() -> Run:
    return Run(state=Run.State.STARTING, open_requests=[], usage_by_model={})


def apply(run: Run, *events: dict[str, Any]) -> Run:
    for number, event in enumerate(events, start=run.last_seq + 1):
        known = untrusted.event({"v": 1, "seq": number, "at": AT, **event}, at_least=number)
        reducer.apply(run, known)
    return run


def test_a_run_is_starting_until_its_cli_has_spoken(run: Run) -> None:
    apply(run, {"kind": "notice", "text": "set-up"})
    assert run.state == Run.State.STARTING
    apply(run, {"kind": "started", "cli_session": "s-1", "cli_version": "2.1.197"})
    assert (run.state, run.cli_session, run.cli_version) == (Run.State.RUNNING, "s-1", "2.1.197")
    assert run.started_at is not None
    assert run.started_at.isoformat() == "2026-11-22T08:00:00.123000+00:00"


def test_an_open_request_makes_it_wait_and_closing_it_go_on(run: Run) -> None:
    request = {
        "kind": "request",
        "id": "r1",
        "request_kind": "approval",
        "tool": "Bash",
        "title": "rm -r build",
    }
    apply(run, {"kind": "started"}, request)
    assert run.state == Run.State.WAITING
    assert run.open_requests == [
        {"id": "r1", "kind": "approval", "tool": "Bash", "title": "rm -r build", "at": AT}
    ]
    apply(run, {"kind": "request_closed", "id": "r1", "decision": "allow", "by": "keyboard"})
    assert (run.state, run.open_requests) == (Run.State.RUNNING, [])


def test_a_request_that_is_told_twice_is_open_once(run: Run) -> None:
    request = {"kind": "request", "id": "r1", "request_kind": "question"}
    apply(run, {"kind": "started"}, request, request)
    assert [r["id"] for r in run.open_requests] == ["r1"]


def test_usage_replaces_the_totals_so_that_a_doubled_line_counts_once(run: Run) -> None:
    usage = {
        "kind": "usage",
        "input_tokens": 12,
        "output_tokens": 5,
        "cache_read_tokens": 100,
        "cost_usd": 0.5,
    }
    apply(run, usage, usage)
    assert (run.input_tokens, run.output_tokens, run.cache_read_tokens) == (12, 5, 100)
    assert (run.cost_usd, run.cost_source) == (Decimal("0.5"), Run.CostSource.REPORTED)


def test_tokens_without_a_cost_leave_the_cost_unknown(run: Run) -> None:
    apply(run, {"kind": "usage", "input_tokens": 12, "output_tokens": 5, "cost_usd": None})
    assert (run.input_tokens, run.cost_usd, run.cost_source) == (12, None, None)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": "text", "text": "\n  First line\nsecond"}, "First line"),
        ({"kind": "tool", "title": "npm test"}, "npm test"),
        ({"kind": "file_change", "path": "a.py", "change": "add"}, "Wrote a.py"),
        ({"kind": "file_change", "path": "a.py", "change": "delete"}, "Deleted a.py"),
        ({"kind": "error", "text": "API Error: 500", "retrying": True}, "API Error: 500"),
    ],
)
def test_the_card_says_the_last_thing_it_did(run: Run, event: dict[str, Any], words: str) -> None:
    assert apply(run, event).activity == words


def test_an_activity_fits_its_column(run: Run) -> None:
    assert len(apply(run, {"kind": "text", "text": "x" * 1000}).activity) == 200


def test_a_reached_limit_says_when_it_resets(run: Run) -> None:
    apply(run, {"kind": "limit", "status": "reached", "resets_at": "2026-11-22T17:00:00Z", "windows": []})
    assert run.limit_resets_at is not None
    assert run.limit_resets_at.hour == 17


def test_late_events_never_bring_an_ended_run_back(run: Run) -> None:
    run.state = Run.State.CANCELLED
    apply(run, {"kind": "started"}, {"kind": "text", "text": "late"})
    assert run.state == Run.State.CANCELLED


def test_an_unknown_kind_changes_nothing_but_the_number(run: Run) -> None:
    apply(run, {"kind": "something-new", "data": 1})
    assert (run.state, run.last_seq, run.activity) == (Run.State.STARTING, 1, "")


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-11-22T08:00:00"])
def test_a_time_that_means_nothing_is_none(text: str | None) -> None:
    assert reducer.parse_time(text) is None
