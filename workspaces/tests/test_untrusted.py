"""What an agent could have written is what its type says before anything reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workspaces.hostkit import wire
from workspaces.hosts.untrusted import events, fit


def test_an_event_that_is_right_stays_as_it_is() -> None:
    said = {"kind": "request", "id": "r", "request_kind": "question", "tool": "Ask", "title": "Which?"}
    questions = [{"id": "q", "question": "Which?", "options": [{"label": "A", "description": "one"}]}]
    line = {
        "v": 1,
        "seq": 3,
        "at": "2030-01-01T00:00:00Z",
        **said,
        "questions": questions,
        "input": {"a": [1]},
    }
    assert events([line]) == [line]


@pytest.mark.parametrize(
    "line",
    [
        None,
        5,
        "text",
        [],
        {},
        {"seq": 1},
        {"kind": "text"},
        {"kind": "text", "seq": "1"},
        {"kind": [], "seq": 1},
    ]
    + [{"kind": "text", "seq": seq} for seq in (0, -1, 2**31, True, 1.0, None)],
)
def test_a_line_without_a_number_or_a_kind_is_none(line: object) -> None:
    assert events([line]) == []


def test_an_event_of_a_newer_runner_is_kept() -> None:
    line = {"kind": "dance", "seq": 1, "steps": ["left"]}
    assert events([line]) == [line]


def test_a_field_of_another_type_is_left_out_or_empty() -> None:
    line = {"kind": "tool_result", "seq": 1, "id": 5, "output": ["x"], "is_error": "no", "exit_code": "0"}
    (event,) = events([line])
    assert event == {"kind": "tool_result", "seq": 1, "id": "", "output": "", "is_error": False}


def test_parts_that_are_wrong_are_left_out_of_lists_and_maps() -> None:
    windows = [{"window": "five_hour", "used_percent": 4}, "x", {"window": 1, "used_percent": "full"}]
    (event,) = events([{"kind": "limit", "seq": 1, "status": "ok", "windows": windows}])
    assert event["kind"] == "limit"
    assert event["windows"] == [windows[0], {"window": "", "used_percent": None}]
    usage = fit({"side": {"a": 1, "b": "2"}, "by_model": {"m": 3}}, wire.UsageTotals)
    assert (usage.get("side"), usage["by_model"], usage["input_tokens"]) == ({"a": 1}, {}, 0)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", '"1"', "true"])
def test_no_number_is_none(number: str) -> None:
    usage = fit(json.loads(f'{{"cost_usd": {number}}}'), wire.UsageTotals)
    assert usage["cost_usd"] is None


def test_an_outcome_without_a_state_has_none() -> None:
    wrong: list[Any] = [None, [], {}, {"state": None}, {"state": 5}]
    assert [fit(outcome, wire.RunOutcome) for outcome in wrong] == [{"state": ""}] * len(wrong)


def test_a_question_of_an_unknown_kind_is_an_approval() -> None:
    (event,) = events([{"kind": "request", "seq": 1, "request_kind": "bribe"}])
    assert event["kind"] == "request"
    assert event["request_kind"] == "approval"
