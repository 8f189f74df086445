"""What is counted when a CLI says less than all: side requests, and answers whose end it could not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from workspaces.hostkit.agents.claude_code.transcripts import messages_of
from workspaces.hostkit.agents.claude_code.usage import ClaudeLedger, settled
from workspaces.hostkit.agents.codex.events import breaks_off
from workspaces.hostkit.agents.codex.usage import CodexLedger as CodexLedger
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import Journal
from workspaces.hostkit.outcome import Outcome
from workspaces.hostkit.run.finish import EndedBy, finish
from workspaces.hostkit.wire import RunEvent, UsageTotals

DIED = Outcome("failed", "runner_died", "The runner died.")


def answer(key: str, sent: int, output: int = 1) -> dict[str, Any]:
    usage = {"input_tokens": sent, "output_tokens": output}
    message = {"id": key, "model": "m", "usage": usage}
    return {"type": "assistant", "sessionId": "s1", "requestId": "r", "message": message}


def result(sent: int, output: int, **fields: Any) -> dict[str, Any]:
    usage = {"inputTokens": sent, "outputTokens": output, "costUSD": 0.5}
    return {"type": "result", "total_cost_usd": 0.5, "modelUsage": {"m": usage}, **fields}


def raw_of(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "raw.jsonl"
    path.write_text(
        '> {"asked":1}\n' + "".join(f"< {json.dumps(line)}\n" for line in lines) + '< {"usage": to'
    )
    return path


def transcript(home: Path, *records: dict[str, Any]) -> None:
    path = home / "projects" / "-w" / "s1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_what_a_result_counts_beyond_the_messages_are_side_requests() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 100))
    assert ledger.total()["open"]
    total = ledger.close(result(130, 20))
    assert total["side"] == {"input_tokens": 30, "cache_read_tokens": 0, "cache_write_tokens": 0}
    assert not total["open"]


def test_without_side_requests_there_is_nothing_to_tell_apart() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 100))
    ledger.note(answer("a", 100))
    assert ledger.close(result(100, 20))["side"] == {}


def test_the_last_message_of_a_sub_agent_is_no_side_request() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 100))
    usage = {"input_tokens": 40, "output_tokens": 9}
    ledger.note_agent({"type": "user", "tool_use_result": {"agentId": "x", "usage": usage}})
    ledger.note_agent({"type": "user", "tool_use_result": "some words"})
    assert ledger.total()["input_tokens"] == 140
    assert ledger.close(result(140, 20))["side"] == {}


def test_an_answer_that_an_interrupt_broke_off_is_counted() -> None:
    total = ClaudeLedger().close(result(0, 0, terminal_reason="aborted_streaming"))
    assert total["untold"] == 1


def test_what_an_interrupted_answer_said_as_it_began_is_told_apart() -> None:
    ledger = ClaudeLedger()
    ledger.note(answer("a", 100))
    ledger.note(answer("b", 120))
    total = ledger.close(result(100, 20, terminal_reason="aborted_streaming"))
    assert (total["input_tokens"], total["untold"], total["side"]) == (100, 1, {})
    assert (total["begun"]["input_tokens"], total["begun"]["output_tokens"]) == (120, 1)


def test_an_answer_that_the_cli_silently_asks_for_again_is_counted() -> None:
    ledger = ClaudeLedger()
    whole = answer("a", 100, 20)
    whole["message"]["stop_reason"] = "tool_use"
    ledger.note(whole)
    ledger.note(whole)
    assert ledger.close(result(100, 20))["untold"] == 1


@pytest.mark.parametrize(
    ("words", "broken_off"),
    [
        ("API Error: Connection closed mid-response. The response above may be incomplete.", 1),
        ("API Error: Connection to the API was lost (ECONNRESET). This is usually temporary", 1),
        ("API Error: 400 the connection closed mid-response", 0),
    ],
)
def test_the_words_of_the_cli_tell_that_an_answer_was_broken_off(words: str, broken_off: int) -> None:
    ledger = ClaudeLedger()
    message = {"id": "e", "model": "<synthetic>", "usage": {"input_tokens": 0}, "content": [{"text": words}]}
    ledger.note({"type": "assistant", "error": "server_error", "message": message})
    assert ledger.total()["untold"] == broken_off


def calls(key: str, tool: str) -> dict[str, Any]:
    line = answer(key, 100)
    line["message"]["content"] = [{"type": "tool_use", "id": tool, "name": "Bash"}]
    return line


def result_of(tool: str) -> dict[str, Any]:
    return {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": tool}]}}


def test_a_killed_agent_that_awaited_an_answer_has_not_told_it(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, {"type": "system", "subtype": "init"}, calls("a", "t1"), result_of("t1"))
    finals = {
        "a": {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 0, "cache_write_tokens": 0}
    }
    assert settled(raw, finals)["untold"] == 1


def test_a_killed_agent_whose_command_ran_awaited_nothing(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, {"type": "system", "subtype": "init"}, calls("a", "t1"))
    finals = {
        "a": {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 0, "cache_write_tokens": 0}
    }
    assert settled(raw, finals)["untold"] == 0


def test_the_transcript_tells_the_answers_after_the_last_result(tmp_path: Path) -> None:
    transcript(tmp_path, answer("a", 100, 20), answer("b", 50, 9))
    raw = raw_of(tmp_path, answer("a", 100), result(100, 20), answer("b", 50), answer("c", 7))
    total = settled(raw, messages_of({"CLAUDE_CONFIG_DIR": str(tmp_path)}, "s1"))
    assert (total["input_tokens"], total["output_tokens"]) == (157, 20 + 9 + 1)
    assert (total["untold"], total["open"], total["cost_usd"]) == (1, False, None)


def run_folder(tmp_path: Path, backend: str, *events: tuple[str, dict[str, Any]]) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    environment = {"CLAUDE_CONFIG_DIR": str(tmp_path)}
    folder.spec.write_text(json.dumps({"key": "k", "backend": backend, "environment": environment}))
    journal = Journal(folder.events)
    journal.add({"kind": "started", "backend": backend, "cli_session": "s1"})
    for kind, fields in events:
        journal.add(cast("RunEvent", {"kind": kind, **fields}))
    journal.close()
    return folder


def used(folder: RunFolder, outcome: Outcome = DIED, by: EndedBy = "guard") -> UsageTotals:
    usage = finish(folder, outcome, by).get("usage")
    assert usage
    return usage


def test_a_run_whose_runner_was_killed_counts_what_the_transcript_has(tmp_path: Path) -> None:
    transcript(tmp_path, answer("a", 100, 20))
    usage = {"input_tokens": 100, "output_tokens": 1, "open": True}
    folder = run_folder(tmp_path, "claude_code", ("usage", usage))
    raw_of(folder.path, answer("a", 100))
    assert used(folder)["output_tokens"] == 20


def test_codex_killed_in_the_middle_of_a_command_has_not_told_that_answer(tmp_path: Path) -> None:
    tool = ("tool", {"id": "1", "name": "exec"})
    usage = ("usage", {"input_tokens": 5})
    told = used(run_folder(tmp_path, "codex", tool, usage, tool))
    assert (told["input_tokens"], told["untold"]) == (5, 1)


def test_what_a_runner_closes_for_a_cli_that_died_was_open(tmp_path: Path) -> None:
    died = ("error", {"text": "It ended.", "retrying": False})
    end = ("tool_result", {"id": "1"}), ("state", {"state": "idle"})
    folder = run_folder(tmp_path, "codex", ("tool", {"id": "1", "name": "exec"}), died, *end)
    assert used(folder, Outcome("failed", "cli_died", "It ended."), "runner")["untold"] == 1


def test_codex_that_has_told_all_breaks_nothing_off(tmp_path: Path) -> None:
    events = (
        ("tool", {"id": "1", "name": "exec"}),
        ("usage", {"input_tokens": 5}),
        ("state", {"state": "idle"}),
    )
    assert "untold" not in used(run_folder(tmp_path, "codex", *events))


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("stream disconnected before completion: error decoding response body", True),
        ("stream disconnected before completion: error sending request for url", False),
        ("Connection failed: error sending request", False),
        ("unexpected status 401 Unauthorized: Incorrect API key provided.", False),
    ],
)
def test_codex_words_tell_a_broken_answer_from_a_connection_that_never_was(
    details: str, expected: bool
) -> None:
    info = {"responseStreamDisconnected": {"httpStatusCode": None}}
    error = {"message": "Reconnecting... 1/2", "codexErrorInfo": info, "additionalDetails": details}
    assert breaks_off(error) is expected


def test_a_message_in_the_middle_of_codex_answer_breaks_it_off() -> None:
    ledger = CodexLedger(None)
    ledger.note_begin({"type": "agentMessage", "id": "1"})
    ledger.note_end({"type": "agentMessage", "id": "1"})
    ledger.note_begin({"type": "userMessage", "id": "2"})
    assert ledger.untold == 0
    ledger.note_begin({"type": "agentMessage", "id": "3"})
    ledger.note_begin({"type": "userMessage", "id": "4"})
    assert ledger.untold == 1


def told_by_codex(total: int) -> dict[str, Any]:
    tokens = {"inputTokens": total}
    return {"threadId": "T", "turnId": "1", "tokenUsage": {"total": tokens, "last": tokens}}


def test_codex_interrupted_in_a_command_tells_its_answer_and_in_a_stream_does_not() -> None:
    ledger = CodexLedger(None)
    ledger.thread = "T"
    ledger.note(told_by_codex(10), own_turn="1")
    ledger.note_interrupt()
    ledger.note(told_by_codex(25), own_turn="1")
    assert ledger.end_turn(interrupted=True)["untold"] == 0
    ledger.note_interrupt()
    ledger.note(told_by_codex(25), own_turn="1")
    assert ledger.end_turn(interrupted=True)["untold"] == 1
