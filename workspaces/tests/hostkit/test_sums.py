"""Tokens of a run are those of its own requests, in whichever way a CLI reports its totals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workspaces.hostkit.agents import codex
from workspaces.hostkit.agents.claude_code import transcripts as claude_transcripts
from workspaces.hostkit.agents.claude_code.usage import ClaudeLedger
from workspaces.hostkit.agents.codex import transcripts as codex_transcripts
from workspaces.hostkit.agents.codex.usage import CodexLedger
from workspaces.hostkit.base.agent import iso
from workspaces.hostkit.base.cli import EndedRun

OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-4-5"


def usage(count: int, cost: float | None = None, **more: int) -> dict[str, Any]:
    return {"inputTokens": count, "outputTokens": 2 * count, "costUSD": cost or count / 1000, **more}


def result(total: dict[str, Any], new: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The line that ends a turn; an old CLI reports nothing that is `new`."""
    line = {"type": "result", "modelUsage": total, "session_id": "s1", **fields}
    line["total_cost_usd"] = sum(each["costUSD"] for each in total.values())
    return line if new is None else {**line, "model_usage_since_last_result": new}


def sums(ledger: ClaudeLedger) -> tuple[int, float | None]:
    total = ledger.total()
    assert total["input_tokens"] == sum(used["input_tokens"] for used in total["by_model"].values())
    return total["input_tokens"], total["cost_usd"]


def test_a_resumed_process_whose_totals_go_on_counts_what_is_new() -> None:
    ledger = ClaudeLedger()
    ledger.close(result({OPUS: usage(24)}, {OPUS: usage(12)}))
    ledger.close(result({OPUS: usage(24), HAIKU: usage(5)}, {HAIKU: usage(5)}))
    assert sums(ledger) == (17, 0.017)
    assert ledger.total()["by_model"][HAIKU]["cost_usd"] == 0.005


def test_totals_of_an_old_process_begin_at_zero() -> None:
    ledger = ClaudeLedger()
    for count in (12, 12, 30):
        ledger.close(result({OPUS: usage(count)}))
    assert sums(ledger) == (30, 0.03)


@pytest.mark.parametrize("new", [True, False])
def test_clear_sets_totals_back_but_not_what_was_counted(new: bool) -> None:
    ledger = ClaudeLedger()
    ledger.close(result({OPUS: usage(12)}, {OPUS: usage(12)} if new else None))
    ledger.close(result({}, {} if new else None, session_id="s2"))
    ledger.close(result({OPUS: usage(5)}, {OPUS: usage(5)} if new else None, session_id="s2"))
    assert sums(ledger) == (17, 0.017)
    assert ledger.total().get("sessions") == ["s1", "s2"]


def test_a_local_command_counts_nothing() -> None:
    ledger = ClaudeLedger()
    ledger.close(result({OPUS: usage(12)}, {OPUS: usage(12)}))
    ledger.close(result({OPUS: usage(12)}, {}, local_command="usage", num_turns=0))
    assert sums(ledger) == (12, 0.012)


def test_one_result_that_lacks_what_is_new_is_counted_by_its_totals() -> None:
    ledger = ClaudeLedger()
    ledger.close(result({OPUS: usage(100)}, {OPUS: usage(12)}))
    ledger.close(result({OPUS: usage(107)}))
    assert sums(ledger) == (19, 0.019)


@pytest.mark.parametrize("bad", [None, "x", -3, [1], {"a": 1}, float("nan"), 1e300])
def test_a_malformed_count_harms_only_itself(bad: Any) -> None:
    ledger = ClaudeLedger()
    ledger.close(result({OPUS: usage(12)}, {OPUS: {**usage(12), "outputTokens": bad}, HAIKU: bad}))
    assert (ledger.total()["input_tokens"], ledger.total()["output_tokens"]) == (12, 0)


def test_an_interrupted_answer_that_is_told_is_counted_as_it_was_told() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 12))
    total = ledger.close(result({OPUS: usage(12)}, {OPUS: usage(12)}, terminal_reason="aborted_streaming"))
    assert (total["input_tokens"], total["output_tokens"]) == (12, 24)
    assert (total["side"], set(total["begun"].values()), total.get("partial")) == ({}, {0}, 24)


def answer(key: str, sent: int, **fields: Any) -> dict[str, Any]:
    given = {"input_tokens": sent, "output_tokens": 1, **fields}
    return {"type": "assistant", "message": {"id": key, "model": OPUS, "usage": given}}


def test_writes_for_an_hour_are_told_apart_before_and_after_a_result() -> None:
    ledger = ClaudeLedger()
    split = {"ephemeral_1h_input_tokens": 900, "ephemeral_5m_input_tokens": 100}
    ledger.note(answer("a", 5, cache_creation_input_tokens=1000, cache_creation=split))
    live = ledger.total()
    assert (live["cache_write_tokens"], live["by_model"][OPUS]["cache_write_1h_tokens"]) == (1000, 900)
    told = usage(5, cacheCreationInputTokens=1000, cacheCreationEphemeral1hInputTokens=900)
    closed = ledger.close(result({OPUS: told}, {OPUS: told}))
    assert closed["by_model"][OPUS]["cache_write_1h_tokens"] == 900
    assert closed["cache_write_tokens"] == 1000


def test_the_context_follows_a_compaction_and_the_window_the_model() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 190_000))
    ledger.close(
        result({OPUS: usage(9, contextWindow=200_000), HAIKU: usage(1, contextWindow=1_000_000)}, {})
    )
    assert (ledger.total()["context_used"], ledger.total()["context_window"]) == (190_001, 200_000)
    boundary = {"type": "system", "subtype": "compact_boundary"}
    told = ledger.note_compaction({**boundary, "compact_metadata": {"post_tokens": 4000}})
    assert told is not None
    assert told["context_used"] == 4000
    assert ledger.note_compaction({**boundary, "compact_metadata": {"post_tokens": "x"}}) is None


@pytest.mark.parametrize(
    "moment", [1796004300, 1796004300.7, "1796004300", 1796004300_000, "2026-11-30T03:05:00+01:00"]
)
def test_a_reset_time_is_read_in_seconds_milliseconds_and_words(moment: Any) -> None:
    assert iso(moment) == "2026-11-30T02:05:00Z"


@pytest.mark.parametrize("moment", [None, 0, "", "tomorrow", -5, 1e300, float("nan"), [1], {}, "9" * 400])
def test_what_is_no_time_is_none(moment: Any) -> None:
    assert iso(moment) is None


# Codex


def counts(count: int) -> dict[str, int]:
    return {"inputTokens": count, "outputTokens": 1, "totalTokens": count + 1}


class Thread:
    """A ledger that is told the totals of its thread `t1`."""

    def __init__(self, before: dict[str, int] | None = None, resumed: str | None = None) -> None:
        self.ledger = CodexLedger(before)
        self.ledger.begin("t1", resumed=resumed)

    def tell(self, total: int, last: int, turn: str = "turn", thread: str = "t1") -> int:
        told = {"total": counts(total), "last": counts(last), "modelContextWindow": 1000}
        self.ledger.note({"threadId": thread, "turnId": turn, "tokenUsage": told}, own_turn="turn")
        return self.ledger.total()["input_tokens"]


def test_a_fork_counts_from_the_total_of_the_turns_that_it_has_copied() -> None:
    for copied in (900, 300):
        fork = Thread(counts(900), resumed="parent")
        fork.tell(copied, 300, turn="of the parent")
        assert fork.tell(copied + 100, 100) == 100


def test_a_fork_that_begins_with_a_compaction_counts_from_the_total_that_is_repeated() -> None:
    fork = Thread(resumed="parent")
    fork.ledger.model = "m"
    fork.ledger.note_compaction(begins=True)
    fork.tell(300, 200)
    assert fork.tell(350, 50) == 50  # the request of the compaction
    assert fork.tell(350, 0) == 50
    fork.ledger.note_compaction(begins=False)
    assert fork.tell(360, 10) == 60
    assert fork.ledger.total()["by_model"]["m"]["input_tokens"] == 60


def test_a_compaction_is_counted_where_nothing_is_repeated() -> None:
    fork = Thread(resumed="parent")
    fork.ledger.note_compaction(begins=True)
    assert fork.tell(300, 50) == 50
    fork.ledger.note_compaction(begins=False)
    assert fork.tell(310, 10) == 60


def test_the_total_of_a_fork_may_come_before_its_name() -> None:
    fork = Thread(counts(900), resumed="parent")
    fork.ledger.thread = None
    fork.tell(300, 300, turn="of the parent", thread="t1")
    fork.ledger.begin("t1", resumed="parent")
    assert fork.tell(400, 100) == 100


def test_turns_that_a_revert_removes_stay_counted() -> None:
    thread = Thread()
    assert thread.tell(100, 100) == 100
    assert thread.tell(300, 200) == 300
    thread.ledger.note_revert()
    assert thread.tell(300, 200) == 500  # back at 100, and a request as large as before
    assert thread.tell(310, 10) == 510


def test_a_revert_before_the_run_does_not_make_it_negative() -> None:
    thread = Thread(counts(900), resumed="t1")
    assert thread.tell(350, 50) == 50
    assert thread.tell(360, 10) == 60


def test_an_answer_that_a_killed_run_has_not_reported_is_not_counted_for_the_next_one() -> None:
    thread = Thread(counts(900), resumed="t1")
    assert thread.tell(1200, 300, turn="of the killed run") == 0
    assert thread.tell(1200, 300) == 0  # repeated in a turn that begins with a compaction
    assert thread.tell(1250, 50) == 50


def test_a_total_that_is_repeated_counts_once() -> None:
    thread = Thread(counts(900), resumed="t1")
    assert thread.tell(900, 300) == 0
    assert thread.tell(910, 10) == 10
    assert thread.tell(910, 10) == 10


def test_the_context_of_a_thread_is_the_estimate_after_a_compaction() -> None:
    thread = Thread()
    thread.tell(900, 900)
    told = {"total": counts(900), "last": {**dict.fromkeys(counts(0), 0), "totalTokens": 68}}
    thread.ledger.note({"threadId": "t1", "turnId": "turn", "tokenUsage": told}, own_turn="turn")
    total = thread.ledger.total()
    assert (total["context_used"], total["input_tokens"]) == (68, 900)


def rollout(home: Path, name: str, *records: dict[str, Any]) -> None:
    path = home / "sessions" / "2026" / "11" / "30" / f"rollout-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def meta(thread: str, session: str, **more: Any) -> dict[str, Any]:
    return {"type": "session_meta", "payload": {"id": thread, "session_id": session, "cwd": "/w", **more}}


def context(model: str) -> dict[str, Any]:
    return {"type": "turn_context", "payload": {"model": model}}


def token_count(total: int, last: int, minute: int = 0) -> dict[str, Any]:
    info = {
        name: {"input_tokens": count, "output_tokens": 1}
        for name, count in (("total_token_usage", total), ("last_token_usage", last))
    }
    payload = {"type": "token_count", "info": info}
    return {"type": "event_msg", "timestamp": f"2026-11-30T02:{minute:02}:00.123Z", "payload": payload}


BEGAN = 1796004300.0  # 02:05


@pytest.mark.parametrize("source", [{"subagent": "review"}, {"subagent": {"other": "guardian"}}])
def test_reviews_are_counted_from_their_own_transcripts(tmp_path: Path, source: dict[str, Any]) -> None:
    rollout(tmp_path, "a", meta("t1", "t1"), context("gpt-a"), token_count(500, 500, 6))
    before, own = token_count(100, 100, 1), token_count(140, 40, 7)
    rollout(tmp_path, "b", meta("t2", "t1", source=source), context("gpt-b"), before, own, own)
    rollout(tmp_path, "c", meta("t3", "t1"), context("gpt-b"), token_count(7, 7, 8))
    ledger = CodexLedger(None)
    ledger.begin("t1", resumed=None)
    ledger.model = "gpt-a"
    for thread, count in (("t1", 500), ("t3", 7)):  # t3 is a sub-agent, which was reported
        told = {"total": counts(count), "last": counts(count)}
        ledger.note({"threadId": thread, "turnId": "turn", "tokenUsage": told}, own_turn="turn")
    run = EndedRun(tmp_path, "t1", {"CODEX_HOME": str(tmp_path)}, in_turn=False, began=BEGAN)
    total = codex.CLI.unreported_usage(ledger.total(), run)
    assert total is not None
    assert total["input_tokens"] == 500 + 7 + 40
    assert {model: used["input_tokens"] for model, used in total["by_model"].items()} == {
        "gpt-a": 507,
        "gpt-b": 40,
    }


@pytest.mark.parametrize(("reported", "counted", "untold"), [(500, 530, 0), (530, 530, 1), (77, 77, 1)])
def test_the_last_answer_of_a_killed_run_may_be_in_its_transcript(
    tmp_path: Path, reported: int, counted: int, untold: int
) -> None:
    rollout(
        tmp_path,
        "a",
        meta("t1", "t1"),
        token_count(900, 900, 1),
        token_count(1400, 500, 6),
        token_count(1430, 30, 7),
    )
    thread = Thread(counts(900), resumed="t1")
    thread.tell(900 + reported, reported)
    run = EndedRun(tmp_path, "t1", {"CODEX_HOME": str(tmp_path)}, in_turn=True, began=BEGAN)
    total = codex.CLI.final_usage(thread.ledger.total(), run)
    assert total is not None
    assert (total["input_tokens"], total["untold"]) == (counted, untold)


def test_a_thread_that_was_reverted_has_the_sum_of_its_files(tmp_path: Path) -> None:
    rollout(tmp_path, "1", meta("t1", "t1"), token_count(100, 100), token_count(300, 200))
    rollout(tmp_path, "2", meta("t1", "t1"), token_count(300, 200), token_count(300, 0), token_count(310, 10))
    rollout(tmp_path, "3", meta("t2", "t2", forked_from_id="t1"), token_count(150, 50))
    found = codex_transcripts.sessions({"CODEX_HOME": str(tmp_path)}, 0)
    assert [found[thread]["tokens"]["input_tokens"] for thread in ("t1", "t2")] == [510, 50]


def test_the_total_that_a_fork_repeats_before_it_compacts_is_its_parents(tmp_path: Path) -> None:
    of_fork = meta("t2", "t2", forked_from_id="t1")
    told = [token_count(300, 200), token_count(350, 50), token_count(350, 0)]
    rollout(tmp_path, "2", of_fork, *told, context("m"), token_count(360, 10))
    found = codex_transcripts.sessions({"CODEX_HOME": str(tmp_path)}, 0)
    assert found["t2"]["tokens"]["input_tokens"] == 60


def test_a_request_from_before_the_first_turn_of_a_fork_has_the_model_of_that_turn(tmp_path: Path) -> None:
    told = [token_count(300, 200), token_count(350, 50), context("m"), token_count(360, 10), context("n")]
    rollout(tmp_path, "2", meta("t2", "t2", forked_from_id="t1"), *told, token_count(380, 20))
    found = codex_transcripts.sessions({"CODEX_HOME": str(tmp_path)}, 0, {"t2": [0.0]})
    used = found["t2"]["parts"][0]["by_model"]
    assert {model: tokens["input_tokens"] for model, tokens in used.items()} == {"m": 60, "n": 20}


def test_a_fork_leaves_the_messages_of_its_parent_to_it(tmp_path: Path) -> None:
    def record(session: str, key: str, sent: int) -> dict[str, Any]:
        return {
            **answer(key, sent),
            "sessionId": session,
            "requestId": "r",
            "timestamp": "2026-11-30T01:00:00Z",
        }

    def begin(hour: int) -> dict[str, Any]:
        return {"type": "queue-operation", "timestamp": f"2026-11-30T{hour:02}:00:00Z"}

    folder = tmp_path / "projects" / "-w"
    folder.mkdir(parents=True)
    files = {
        "z-parent": [begin(1), record("z-parent", "a", 12)],
        "a-fork": [begin(2), record("a-fork", "a", 12), record("a-fork", "b", 5)],
        "of-compacted": [begin(3), record("of-compacted", "a", 0), record("of-compacted", "c", 7)],
    }
    for name, records in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    found = claude_transcripts.sessions({"CLAUDE_CONFIG_DIR": str(tmp_path)}, 0)
    assert {name: each["tokens"]["input_tokens"] for name, each in found.items()} == {
        "z-parent": 12,
        "a-fork": 5,
        "of-compacted": 7,
    }


def test_the_parts_of_a_session_have_the_clis_own_totals(tmp_path: Path) -> None:
    def record(key: str, sent: int, minute: int) -> dict[str, Any]:
        own = {"sessionId": "s", "requestId": "r", "timestamp": f"2026-11-30T02:{minute:02}:00Z"}
        return {**answer(key, sent), **own}

    def state(count: int) -> dict[str, Any]:
        return {"type": "cost-state", "sessionId": "s", "modelUsage": {OPUS: usage(count)}}

    path = tmp_path / "projects" / "-w" / "s.jsonl"
    path.parent.mkdir(parents=True)
    lines = [record("a", 12, 1), state(12), record("b", 5, 6), record("c", 6, 8), state(30)]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    starts = [BEGAN - 300, BEGAN, BEGAN + 120]  # the second one was killed
    found = claude_transcripts.sessions({"CLAUDE_CONFIG_DIR": str(tmp_path)}, 0, {"s": starts})
    parts = found["s"]["parts"]
    assert [part["by_model"][OPUS]["input_tokens"] for part in parts] == [12, 5, 6]
    totals: list[Any] = [part.get("totals") for part in parts]
    assert [each and (each[OPUS]["input_tokens"], each[OPUS]["cost_usd"]) for each in totals] == [
        (12, 0.012),
        None,
        (30, 0.03),
    ]
    before: list[Any] = [part["before"] for part in parts]
    assert [each and each[OPUS]["input_tokens"] for each in before] == [{}, 12, 12]


def test_the_totals_with_which_a_fork_begins_are_not_known(tmp_path: Path) -> None:
    def record(key: str, sent: int, minute: int) -> dict[str, Any]:
        own = {"sessionId": "fork", "requestId": "r", "timestamp": f"2026-11-30T02:{minute:02}:00Z"}
        return {**answer(key, sent), **own}

    path = tmp_path / "projects" / "-w" / "fork.jsonl"
    path.parent.mkdir(parents=True)
    begun = {"type": "queue-operation", "timestamp": "2026-11-30T02:05:00Z"}
    totals = {"type": "cost-state", "sessionId": "fork"}
    lines = [begun, record("of the parent", 12, 1), record("own", 5, 6)]
    lines += [{**totals, "modelUsage": {OPUS: usage(17)}}, record("next", 6, 8)]
    lines += [{**totals, "modelUsage": {OPUS: usage(23)}}]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = claude_transcripts.sessions(
        {"CLAUDE_CONFIG_DIR": str(tmp_path)}, 0, {"fork": [BEGAN, BEGAN + 120]}
    )
    first, second = found["fork"]["parts"]
    assert "before" not in first
    assert second["before"][OPUS]["input_tokens"] == 17
