"""What the lines of Claude Code mean, by recorded ones."""

from __future__ import annotations

import json

import pytest

from workspaces.hostkit.base.agent import PendingMessage, RequestDecision
from workspaces.hostkit.outcome import NO_PLACE
from workspaces.hostkit.wire import CommandAnswer

from .replay import Json, claude, lines_of

IDLE = {"type": "system", "subtype": "session_state_changed", "state": "idle"}


def result(**fields: object) -> Json:
    base = {"type": "result", "subtype": "success", "is_error": False, "result": "", "modelUsage": {}}
    return {**base, **fields}


def test_an_approval_opens_and_its_answer_closes_a_request() -> None:
    agent, tape = claude()
    lines = lines_of("claude-approval")
    ask = next(place for place, line in enumerate(lines) if line["type"] == "control_request")
    for line in lines[: ask + 1]:
        agent.feed(line)
    request = tape.of("request")[0]
    assert request["request_kind"] == "approval"
    assert request["title"].startswith("touch made-by-bash.txt")
    assert agent.state == "waiting"
    agent.decide(request["id"], RequestDecision(True, scope="once"), "web")
    assert tape.sent[-1]["response"]["response"]["behavior"] == "allow"
    assert tape.of("request_closed")[0]["decision"] == "allow"
    for line in lines[ask + 1 :]:
        agent.feed(line)
    assert tape.of("tool_result")[0]["output"] == "(Bash completed with no output)"
    assert tape.of("text")[-1]["text"] == "Bash step over."


def test_permission_for_the_run_never_reaches_the_settings_in_the_worktree() -> None:
    agent, tape = claude()
    lines = lines_of("claude-approval")
    agent.feed(next(line for line in lines if line["type"] == "control_request"))
    agent.decide(tape.of("request")[0]["id"], RequestDecision(True, scope="run"), "web")
    assert "updatedPermissions" not in tape.sent[-1]["response"]["response"]
    assert tape.of("request_closed")[0]["decision"] == "allow_for_run"


def test_full_mode_answers_approvals_by_itself() -> None:
    agent, tape = claude(permission_mode="full")
    agent.feed(next(line for line in lines_of("claude-approval") if line["type"] == "control_request"))
    assert not tape.of("request")
    assert tape.sent[-1]["response"]["response"]["behavior"] == "allow"


def test_full_mode_leaves_questions_to_a_person() -> None:
    agent, tape = claude(permission_mode="full")
    question = {"question": "Which?", "header": "H", "options": [{"label": "A"}], "multiSelect": True}
    ask = {"subtype": "can_use_tool", "tool_name": "AskUserQuestion", "input": {"questions": [question]}}
    agent.feed({"type": "control_request", "request_id": "r", "request": ask})
    assert tape.of("request")[0]["questions"][0]["id"] == "Which?"
    agent.decide("r", RequestDecision(True, answers={"Which?": ["A", "B"]}), "web")
    assert tape.sent[-1]["response"]["response"]["updatedInput"]["answers"] == {"Which?": "A, B"}


def test_a_request_that_the_cli_takes_back_is_withdrawn() -> None:
    agent, tape = claude()
    agent.feed(next(line for line in lines_of("claude-approval") if line["type"] == "control_request"))
    agent.feed({"type": "control_cancel_request", "request_id": tape.of("request")[0]["id"]})
    assert tape.of("request_closed")[0]["decision"] == "withdrawn"
    assert not agent.requests


def test_a_background_subagent_keeps_the_run_from_ending() -> None:
    agent, _ = claude()
    settled = []
    for line in lines_of("claude-subagents-and-errors"):
        agent.feed(line)
        if line.get("type") == "control_request":
            agent.decide(line["request_id"], RequestDecision(True), "web")
        if line == {**line, **IDLE}:
            settled.append(agent.settled)
    # idle after: first turn, second turn (its agent works on), an answer for that agent, its return, …
    assert settled == [True, False, False, True, True, True, True]


def test_a_background_command_does_not_keep_the_run_from_ending() -> None:
    agent, _ = claude()
    settled = []
    for line in lines_of("claude-background"):
        agent.feed(line)
        if line == {**line, **IDLE}:
            settled.append(agent.settled)
    assert settled[0]


def test_subagents_texts_name_their_parent() -> None:
    _, tape = claude("claude-subagents-and-errors")
    parents = {event["text"]: event["parent"] for event in tape.of("text")}
    assert parents["Main turn over."] is None
    assert parents["Sub over."] == "toolu_s0_079da7639d5b94d74"


def test_totals_are_those_of_the_whole_process() -> None:
    agent, _ = claude("claude-subagents-and-errors")
    last = [line for line in lines_of("claude-subagents-and-errors") if line["type"] == "result"][-1]
    model = last["modelUsage"]["claude-sonnet-4-5"]
    assert agent.usage is not None
    assert agent.usage["input_tokens"] == model["inputTokens"]
    assert agent.usage["output_tokens"] == model["outputTokens"]
    assert agent.usage["cache_read_tokens"] == model["cacheReadInputTokens"]
    assert agent.usage["cost_usd"] == last["total_cost_usd"]


def test_errors_of_the_service_have_codes_and_retries_are_told() -> None:
    _, tape = claude("claude-subagents-and-errors")
    told = [(event["code"], event["http_status"], event["retrying"]) for event in tape.of("error")]
    assert told == [("rejected", 400, False), ("server", 500, True), ("server", 500, False)]


@pytest.mark.parametrize(
    ("error", "words"),
    [("unknown", "The request failed"), (None, "The request failed"), ("odd_thing", "Odd thing")],
)
def test_a_retry_for_a_reason_without_a_code_is_told_in_words(error: str | None, words: str) -> None:
    agent, tape = claude()
    agent.feed({"type": "system", "subtype": "api_retry", "error": error, "attempt": 1, "max_retries": 2})
    assert tape.of("error")[-1]["text"] == f"{words}: retry 1 of 2 in 0 s"


@pytest.mark.parametrize(
    ("status", "word", "text", "code"),
    [
        (None, "authentication_failed", "Not logged in", "login"),
        (401, "authentication_failed", "", "login"),
        (429, "rate_limit", "", "limit"),
        (404, "model_not_found", "", "model"),
        (None, "server_error", "Repeated 529 Overloaded errors", "server"),
        (None, "server_error", "Connection was lost (ECONNRESET)", "connection"),
        (None, "", "No conversation found", "other"),
        (None, "", "No message found with message.uuid of: 123b", "fork"),
    ],
)
def test_failures_are_classified(status: int | None, word: str, text: str, code: str) -> None:
    agent, _ = claude()
    if word:
        agent.feed({"type": "assistant", "error": word, "message": {"content": []}})
    agent.feed(result(is_error=True, api_error_status=status, result=text))
    assert agent.outcome is not None
    assert (agent.outcome.state, agent.outcome.code) == ("failed", code)


def test_a_fork_that_is_refused_has_no_session() -> None:
    agent, _ = claude(resume="s1", fork={"anchor": "a", "before": False})
    text = "No message found with message.uuid of: a"
    agent.feed(result(is_error=True, api_error_status=None, result=text, session_id="s2"))
    assert agent.session is None
    assert agent.outcome is not None
    assert agent.outcome.reason == NO_PLACE


def test_a_reached_limit_tells_when_it_resets() -> None:
    agent, tape = claude()
    info = {"status": "rejected", "resetsAt": 1900000000, "rateLimitType": "five_hour"}
    agent.feed({"type": "rate_limit_event", "rate_limit_info": info})
    agent.feed(result(is_error=True, api_error_status=429, result="You've hit your limit"))
    assert tape.of("limit")[0]["status"] == "reached"
    assert agent.outcome is not None
    assert agent.outcome.resets_at == "2030-03-17T17:46:40Z"


def test_an_interrupted_turn_is_no_failure() -> None:
    agent, _ = claude("claude-interrupt")
    lines = lines_of("claude-interrupt")
    agent, _ = claude()
    for line in lines[: 1 + next(i for i, line in enumerate(lines) if line["type"] == "result")]:
        agent.feed(line)
    assert agent.outcome is not None
    assert (agent.outcome.state, agent.outcome.code) == ("cancelled", "interrupted")


def test_a_message_is_told_when_it_is_taken() -> None:
    agent, tape = claude()
    answers: list[CommandAnswer] = []
    agent.say(PendingMessage("and this", "web", "m1"), "after_turn", answers.append)
    wire = tape.sent[-1]
    assert (wire["priority"], answers) == ("later", [{"ok": True, "id": "m1"}])
    assert not tape.of("message")
    agent.feed({"type": "user", "isReplay": True, "uuid": wire["uuid"], "message": {"content": "and this"}})
    assert tape.of("message")[0] == {"kind": "message", "id": "m1", "text": "and this", "by": "web"}


def test_what_waits_when_a_run_is_stopped_is_taken_back() -> None:
    agent, tape = claude()
    agent.feed({"type": "system", "subtype": "init", "session_id": "s"})
    agent.say(PendingMessage("more", "web"), "after_turn", lambda _: None)
    wire = tape.sent[-1]["uuid"]
    agent.withdraw_all()
    asked = tape.sent[-1]
    assert asked["request"] == {"subtype": "cancel_async_message", "message_uuid": wire}
    answer = {"request_id": asked["request_id"], "subtype": "success", "response": {"cancelled": True}}
    agent.feed({"type": "control_response", "response": answer})
    assert (agent.waiting_messages, [event["text"] for event in tape.of("message")]) == ({}, ["do it"])


def test_an_interrupt_also_ends_what_runs_in_the_background() -> None:
    agent, tape = claude()
    started = {"subtype": "task_started", "task_id": "t1", "task_type": "local_bash"}
    agent.feed({"type": "system", **started})
    agent.interrupt()
    assert [each["request"]["subtype"] for each in tape.sent[-2:]] == ["interrupt", "stop_task"]


def test_a_queued_message_keeps_the_run_from_ending() -> None:
    agent, _ = claude()
    agent.feed({"type": "system", "subtype": "init", "session_id": "s"})
    agent.say(PendingMessage("more", "web"), "after_turn", lambda _: None)
    agent.feed(result())
    agent.feed(IDLE)
    assert not agent.settled


def test_a_prompt_that_looks_like_a_command_stays_a_text() -> None:
    agent, tape = claude()
    agent.say(PendingMessage("/compact", "web"), "now", lambda _: None)
    assert tape.sent[-1]["message"]["content"] == [{"type": "text", "text": " /compact"}]


def test_a_new_file_is_a_file_change_with_a_diff() -> None:
    agent, tape = claude(worktree="/w")
    change = {"type": "create", "filePath": "/w/a/b.txt", "content": "one\ntwo\n", "structuredPatch": []}
    block = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    agent.feed({"type": "user", "message": {"content": [block]}, "tool_use_result": change})
    event = tape.of("file_change")[0]
    assert (event["path"], event["change"]) == ("a/b.txt", "add")
    assert event["diff"] == "@@ -0,0 +1,2 @@\n+one\n+two"


def test_unknown_lines_are_kept() -> None:
    agent, tape = claude()
    agent.feed({"type": "something_new", "x": 1})
    assert tape.of("raw")[0]["line"] == {"type": "something_new", "x": 1}


def test_model_and_effort_change_by_control_requests() -> None:
    agent, tape = claude()
    answers: list[CommandAnswer] = []
    agent.set_model("haiku", "high", answers.append)
    effort, model = tape.sent[-2:]
    settings = {"effortLevel": "high", "env": {"CLAUDE_CODE_EFFORT_LEVEL": "high"}}
    assert effort["request"] == {"subtype": "apply_flag_settings", "settings": settings}
    assert model["request"] == {"subtype": "set_model", "model": "haiku"}
    response = {"subtype": "error", "request_id": model["request_id"], "error": "no such model"}
    agent.feed({"type": "control_response", "response": response})
    assert answers == [{"ok": False, "error": "no such model"}]


def test_the_command_line_says_what_the_spec_asks_for() -> None:
    agent, _ = claude(model="opus", reasoning_effort="max", permission_mode="edits", resume="s-1")
    words = agent.command_line("/bin/claude")
    for word in ("--model=opus", "--effort=max", "--permission-mode=acceptEdits", "--resume=s-1"):
        assert word in words
    assert "--dangerously-skip-permissions" not in json.dumps(words)


@pytest.mark.parametrize(("chosen", "told"), [("max", "max"), (None, None)])
def test_a_chosen_effort_stands_in_the_variable_that_always_holds(
    chosen: str | None, told: str | None
) -> None:
    agent, _ = claude(reasoning_effort=chosen)
    assert agent.environment().get("CLAUDE_CODE_EFFORT_LEVEL") == told
