"""What an agent could have written is what its type says before anything reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workspaces.hostkit import wire
from workspaces.hosts.untrusted import MAX_GAP, Misfit, event, fit, quoted


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
    assert event(line, at_least=3) == line


@pytest.mark.parametrize(
    "line",
    [
        None,
        5,
        "text",
        [],
        {},
        {"seq": 1},
        {"seq": 1, "kind": ""},
        {"kind": "text"},
        {"kind": "text", "seq": "1"},
        {"kind": [], "seq": 1},
    ]
    + [{"kind": "text", "seq": seq} for seq in (0, -1, 2**31, True, 1.0, None)],
)
def test_a_line_without_a_number_or_a_kind_is_none(line: object) -> None:
    with pytest.raises(Misfit):
        event(line)


@pytest.mark.parametrize("seq", [1, 4, 5 + MAX_GAP + 1, 2**31 - 1])
def test_a_number_that_was_used_or_is_far_off_is_none(seq: int) -> None:
    with pytest.raises(Misfit, match="in place of 5"):
        event({"kind": "text", "seq": seq}, at_least=5)


@pytest.mark.parametrize("depth", [150, 600, 900])
def test_a_line_that_is_nested_deep_is_none(depth: int) -> None:
    deep = json.loads("[" * depth + "]" * depth)
    line = {"kind": "tool", "seq": 1, "input": deep}
    with pytest.raises(Misfit, match="nested"):
        event(line)
    assert quoted(line) == "(nested too deep)"


@pytest.mark.parametrize("name", [None, "", "a b", "a\nb", "x" * 101, "\u2028", 5 * [1]])
def test_a_request_needs_an_id_that_a_url_can_hold(name: object) -> None:
    with pytest.raises(Misfit, match="request"):
        event({"kind": "request", "seq": 1, "id": name})


def test_an_event_of_a_newer_runner_is_kept() -> None:
    line = {"kind": "dance", "seq": 1, "steps": ["left"]}
    assert event(line) == line


def test_a_field_of_another_type_is_left_out_or_empty() -> None:
    line = {"kind": "tool_result", "seq": 1, "id": 5, "output": ["x"], "is_error": "no", "exit_code": "0"}
    assert event(line) == {"kind": "tool_result", "seq": 1, "id": "", "output": "", "is_error": False}


def test_parts_that_are_wrong_are_left_out_of_lists_and_maps() -> None:
    windows = [{"window": "five_hour", "used_percent": 4}, "x", {"window": 1, "used_percent": "full"}]
    limit = event({"kind": "limit", "seq": 1, "status": "ok", "windows": windows})
    assert limit["kind"] == "limit"
    assert limit["windows"] == [windows[0], {"window": "", "used_percent": None}]
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
    bribe = event({"kind": "request", "seq": 1, "id": "r", "request_kind": "bribe"})
    assert bribe["kind"] == "request"
    assert bribe["request_kind"] == "approval"
