"""Our sessions against the transcripts."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from tasks.tests.factories import make_task
from usage.audit import Adjustment, audit, compare
from usage.models import TOKENS
from usage.tests.rows import used
from workspaces.hostkit.wire import SessionTokens


def tokens(output: int = 5, reasoning: int = 0) -> dict[str, int]:
    return {**dict.fromkeys(TOKENS, 0), "output_tokens": output, "reasoning_tokens": reasoning}


def told(**sessions: Any) -> dict[str, Any]:
    return {"claude_code": sessions, "codex": {}}


OURS = {("claude_code", "s1"): tokens()}


def test_equal_is_no_difference() -> None:
    finding = compare(OURS, told(s1={"cwd": "/w", "tokens": tokens()}))
    assert (finding.sessions, finding.differences, finding.outside_sessions) == (1, [], 0)


def test_a_difference_is_told_in_numbers() -> None:
    (difference,) = compare(OURS, told(s1={"tokens": tokens(7)})).differences
    assert difference.text == "Claude Code session s1: output 5 recorded, 7 in the transcript."


def test_a_transcript_that_is_gone_is_a_difference() -> None:
    (difference,) = compare(OURS, told()).differences
    assert "no transcript" in difference.text


def test_a_session_that_never_got_an_answer_needs_none() -> None:
    assert compare({("codex", "t"): tokens(0)}, told()).differences == []


def test_work_outside_is_told_apart() -> None:
    finding = compare(OURS, told(s1={"tokens": tokens()}, own={"tokens": tokens(40)}))
    assert finding.differences == []
    assert (finding.outside_sessions, finding.outside_tokens) == (1, 40)


def test_threads_that_ours_has_spawned_count_with_it() -> None:
    threads: dict[str, SessionTokens] = {
        "t1": {"cwd": "/w", "tokens": tokens(5)},
        "t2": {"cwd": "/w", "tokens": tokens(6), "parent": "t1"},
    }
    assert compare({("codex", "t1"): tokens(11)}, {"codex": threads}).differences == []


TITLE = {"input_tokens": 20, "cache_read_tokens": 3, "cache_write_tokens": 0}


def with_title(**more: int) -> dict[tuple[str, str], dict[str, int]]:
    return {("claude_code", "s1"): {**tokens(5 + 9), **TITLE, **more}}


def test_side_requests_are_told_apart_by_what_they_sent() -> None:
    theirs, adjustments = told(s1={"tokens": tokens()}), {("claude_code", "s1"): Adjustment(TITLE)}
    finding = compare(with_title(), theirs, adjustments)
    assert (finding.differences, finding.side_tokens) == ([], 20 + 3 + 9)


def test_side_requests_explain_nothing_else() -> None:
    theirs, adjustments = told(s1={"tokens": tokens()}), {("claude_code", "s1"): Adjustment(TITLE)}
    assert compare(with_title(input_tokens=21), theirs, adjustments).differences
    assert compare(with_title(output_tokens=4), theirs, adjustments).differences
    assert compare(with_title(), theirs, {}).differences


def apart(**fields: Any) -> dict[tuple[str, str], Adjustment]:
    return {("claude_code", "s1"): Adjustment(**fields)}


def test_what_only_the_transcript_has_of_an_answer_that_was_broken_off_is_told_apart() -> None:
    adjustments = apart(untold=1, begun={"output_tokens": 2})
    finding = compare(OURS, told(s1={"tokens": tokens(5 + 2)}), adjustments)
    assert (finding.differences, finding.untold, finding.begun_tokens) == ([], 1, 2)
    assert compare(OURS, told(s1={"tokens": tokens(5 + 3)}), adjustments).differences


def test_an_answer_that_was_broken_off_may_be_missing_in_the_transcript() -> None:
    adjustments = apart(untold=1, unsaved={"output_tokens": 3})
    assert compare(OURS, told(s1={"tokens": tokens(5 - 3)}), adjustments).differences == []
    assert compare(OURS, told(s1={"tokens": tokens(5 - 4)}), adjustments).differences


def test_an_answer_that_was_broken_off_explains_nothing_else() -> None:
    assert compare(OURS, told(s1={"tokens": tokens(2)}), apart(untold=1)).differences


def test_a_part_of_an_answer_that_was_broken_off_may_be_missing_in_the_transcript() -> None:
    adjustments = apart(untold=1, partial=4)
    for ours, theirs, count in ((5, 1, 0), (5, 5, 0), (5, 0, 1), (5, 6, 1)):
        found = compare(
            {("claude_code", "s1"): tokens(ours)}, told(s1={"tokens": tokens(theirs)}), adjustments
        )
        assert len(found.differences) == count


def test_reasoning_is_compared_where_it_is_reported() -> None:
    thread: SessionTokens = {"cwd": "/w", "tokens": tokens(reasoning=3)}
    assert len(compare({("codex", "t"): tokens()}, {"codex": {"t": thread}}).differences) == 1
    assert compare(OURS, told(s1={"tokens": tokens(reasoning=3)})).differences == []


@pytest.mark.django_db
def test_a_session_whose_task_was_deleted_is_no_work_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone = make_task(), make_task()
    for name, task in (("kept", kept), ("gone", gone)):
        used(task, cli_session=name, queued_at=timezone.now())
    gone.delete()
    amounts = (10, 20, 300, 40, 0)  # as `used` has them
    said = {"tokens": dict(zip(TOKENS, amounts, strict=True))}
    theirs = told(kept=said, gone=said, own=said)
    monkeypatch.setattr("usage.audit.hosts.get", lambda _address: Host(theirs))
    _, finding = audit(kept.workspace)
    assert (finding.sessions, finding.differences, finding.outside_sessions) == (1, [], 1)


@pytest.mark.django_db
def test_sessions_of_other_owners_on_the_same_login_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = make_task(), make_task()
    for name, task in (("mine", mine), ("theirs", theirs)):
        used(task, cli_session=name, queued_at=timezone.now())
    monkeypatch.setattr("usage.audit.hosts.get", lambda _address: Host({}))
    row, finding = audit(mine.workspace)
    assert len(finding.differences) == 2
    assert "session mine:" in str(row.differences)
    assert "theirs" not in str(row.differences)


class Host:
    def __init__(self, transcripts: dict[str, Any]) -> None:
        self.transcripts = transcripts

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        return self.transcripts
