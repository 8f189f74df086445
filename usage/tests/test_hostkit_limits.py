"""What the CLIs say of a plan's limits, as it was recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from workspaces.hostkit.agents.claude_code import limits as claude_limits
from workspaces.hostkit.agents.claude_code import screen as claude_screen
from workspaces.hostkit.agents.claude_code import transcripts as claude_transcripts
from workspaces.hostkit.agents.codex import limits as codex_limits
from workspaces.hostkit.agents.codex import transcripts as codex_transcripts
from workspaces.hostkit.base.talk import NoAnswer, NotSupported

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


def test_claude_tells_the_week_of_one_model() -> None:
    week = {"kind": "weekly_scoped", "percent": 44, "scope": {"model": {"display_name": "Fable"}}}
    said = of_claude(rate_limits={**CLAUDE["rate_limits"], "limits": [week, {"kind": "other"}]})  # type: ignore[dict-item]
    assert said["windows"][2:] == [{"window": "seven_day_fable", "used_percent": 44.0, "resets_at": None}]


def test_a_claude_that_has_not_reached_its_service_says_so() -> None:
    with pytest.raises(NoAnswer, match="could not be reached"):
        of_claude(rate_limits=None)


def test_a_claude_that_does_not_know_the_question_is_told_from_one_without_limits() -> None:
    with pytest.raises(NotSupported):
        claude_limits.limits_of({"subtype": "error", "error": "Unknown subtype"})


def test_claude_with_a_key_has_no_limits() -> None:
    with pytest.raises(NoAnswer, match="There are no plan limits"):
        of_claude(subscription_type=None, rate_limits_available=False, rate_limits=None)


def test_codex_tells_two_windows_with_their_resets() -> None:
    said = codex_limits.limits_of(
        {"id": 2, "result": {"rateLimits": CODEX, "rateLimitsByLimitId": {"codex": CODEX}}}
    )
    assert said["account"] == "plus"
    assert [each["used_percent"] for each in said["windows"]] == [42, 17]
    assert str(said["windows"][0].get("resets_at")).startswith("2030-03-17T17:46:40")


def test_codex_without_a_login_says_so() -> None:
    with pytest.raises(NoAnswer, match="without a ChatGPT login"):
        codex_limits.limits_of({"id": 2, "error": {"message": "codex account authentication required"}})


SCREEN = """\
❯ /usage

────────────────────────────────────────────────────────────────────────────────
  Settings  Status   Config   Usage   Stats

  Session

  Total cost:            $0.0154
  Usage by model:
       claude-sonnet-5:  24 input, 23 output, 30.0k cache read, 1.6k cache write ($0.0154)

  Current session
  █████████████████████████████████████████████▌     91% used
  Resets Mar 17, 2030, 5:46pm (UTC)

  Current week (all models)
  ████████████████▌                                  33% used
  Resets Mar 23, 2030, 12:40pm (UTC)

  Could not refresh usage data

  r to retry · Esc to cancel
"""
NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)


def on_screen(text: str) -> list[tuple[str, float | None, str | None]]:
    windows = claude_screen.windows_of(text, NOON)
    return [(each["window"], each["used_percent"], each.get("resets_at")) for each in windows]


def test_the_screen_as_it_was_recorded_tells_two_windows() -> None:
    assert on_screen(SCREEN) == [
        ("five_hour", 91.0, "2030-03-17T17:46:00+00:00"),
        ("seven_day", 33.0, "2030-03-23T12:40:00+00:00"),
    ]


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("Resets 5pm (UTC)", "2026-09-10T17:00:00+00:00"),
        ("Resets 9:30am (UTC)", "2026-09-11T09:30:00+00:00"),
        ("Resets 12:05am (UTC)", "2026-09-11T00:05:00+00:00"),
        ("Resets Sep 14, 12pm (UTC)", "2026-09-14T12:00:00+00:00"),
        ("Resets Jan 2 at 3am (UTC)", "2027-01-02T03:00:00+00:00"),
        ("Resets Jan 2 (UTC)", "2027-01-02T00:00:00+00:00"),
        ("Resets 5pm (Europe/Berlin)", None),
        ("Resets soon", None),
    ],
)
def test_a_reset_on_the_screen_is_the_next_time_that_the_words_fit(words: str, moment: str | None) -> None:
    text = f"  Current week (Sonnet only)\n  ███   12% used\n  {words}\n"
    assert on_screen(text) == [("seven_day_sonnet", 12.0, moment)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  Session\n  Error: Failed to load usage data\n", "no plan limits: Failed to load usage data."),
        ("│ Select login method: │\n", "no plan limits. Its last line: Select login method:"),
        ("", "no plan limits."),
    ],
)
def test_a_screen_that_tells_no_window_is_an_error_with_its_words(text: str, words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        on_screen(text)


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
    found = claude_transcripts.sessions({"CLAUDE_CONFIG_DIR": str(tmp_path)}, 0)
    assert list(found) == ["s1"]
    assert found["s1"]["tokens"]["output_tokens"] == 90
    assert found["s1"]["tokens"]["input_tokens"] == 15


def test_the_last_total_of_a_thread_counts(tmp_path: Path) -> None:
    def count(total: int) -> dict[str, Any]:
        usage = {"input_tokens": total, "cached_input_tokens": 10, "output_tokens": 3}
        return {"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": usage}}}

    meta = {"type": "session_meta", "payload": {"id": "t1", "session_id": "t1", "cwd": "/w"}}
    write(tmp_path / "sessions" / "2026" / "rollout-a-t1.jsonl", meta, count(50), count(90))
    found = codex_transcripts.sessions({"CODEX_HOME": str(tmp_path)}, 0)
    assert found["t1"]["tokens"]["input_tokens"] == 80
    assert found["t1"]["parent"] == ""
