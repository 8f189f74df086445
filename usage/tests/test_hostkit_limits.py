"""What the CLIs say of a plan's limits, as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workspaces.hostkit.agents import claude_limits, codex_limits
from workspaces.hostkit.agents.catalog import NoAnswer
from workspaces.hostkit.agents.transcripts import claude_sessions, codex_sessions

CLAUDE = {
    "subscription_type": "max",
    "rate_limits_available": True,
    "rate_limits": {
        "five_hour": {"utilization": 91, "resets_at": "2030-03-17T17:46:40.000Z"},
        "seven_day": {"utilization": 33, "resets_at": "2030-03-23T12:40:00.000Z"},
    },
}
CODEX = {
    "limitId": "codex",
    "primary": {"usedPercent": 42, "windowDurationMins": 300, "resetsAt": 1900000000},
    "secondary": {"usedPercent": 17, "windowDurationMins": 10080, "resetsAt": 1900500000},
    "planType": "plus",
}


def of_claude(**changes: Any) -> Any:
    return claude_limits.limits_of({"subtype": "success", "response": {**CLAUDE, **changes}})


def test_claude_tells_two_windows() -> None:
    said = of_claude()
    assert said["account"] == "max"
    assert [(each["window"], each["used_percent"]) for each in said["windows"]] == [
        ("five_hour", 91.0),
        ("seven_day", 33.0),
    ]


def test_a_claude_that_has_not_reached_its_service_says_so() -> None:
    with pytest.raises(NoAnswer, match="could not be reached"):
        of_claude(rate_limits=None)


def test_claude_with_a_key_has_no_limits() -> None:
    with pytest.raises(NoAnswer, match="there are no plan limits"):
        of_claude(subscription_type=None, rate_limits_available=False, rate_limits=None)


def test_codex_tells_two_windows_with_their_resets() -> None:
    said = codex_limits.limits_of(
        {"id": 2, "result": {"rateLimits": CODEX, "rateLimitsByLimitId": {"codex": CODEX}}}
    )
    assert said["account"] == "plus"
    assert [each["used_percent"] for each in said["windows"]] == [42, 17]
    assert said["windows"][0]["resets_at"].startswith("2030-03-17T17:46:40")


def test_codex_without_a_login_says_so() -> None:
    with pytest.raises(NoAnswer, match="Without a ChatGPT login"):
        codex_limits.limits_of({"id": 2, "error": {"message": "codex account authentication required"}})


def message(number: int, output: int, **changes: Any) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": output, "cache_read_input_tokens": 7}
    said = {"id": f"msg_{number}", "model": "m", "usage": usage}
    return {"type": "assistant", "sessionId": "s1", "cwd": "/w", "requestId": "r", "message": said, **changes}


def write(path: Path, *records: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + '{"torn')


def test_the_last_record_of_a_message_counts_and_sub_agents_too(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "-w"
    write(project / "s1.jsonl", message(1, 1), message(1, 20), message(2, 30))
    write(project / "s1" / "subagents" / "agent-x.jsonl", message(3, 40), message(1, 20))
    found = claude_sessions({"CLAUDE_CONFIG_DIR": str(tmp_path)}, 0)
    assert list(found) == ["s1"]
    assert found["s1"]["tokens"]["output_tokens"] == 90
    assert found["s1"]["tokens"]["input_tokens"] == 15


def test_the_last_total_of_a_thread_counts(tmp_path: Path) -> None:
    def count(total: int) -> dict[str, Any]:
        usage = {"input_tokens": total, "cached_input_tokens": 10, "output_tokens": 3}
        return {"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": usage}}}

    meta = {"type": "session_meta", "payload": {"id": "t1", "session_id": "t1", "cwd": "/w"}}
    write(tmp_path / "sessions" / "2026" / "rollout-a-t1.jsonl", meta, count(50), count(90))
    found = codex_sessions({"CODEX_HOME": str(tmp_path)}, 0)
    assert found["t1"]["tokens"]["input_tokens"] == 80
    assert found["t1"]["parent"] == ""
