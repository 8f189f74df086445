"""What the lines of codex app-server mean, by recorded ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workspaces.hostkit.agents.codex.events import failure_of
from workspaces.hostkit.agents.codex.protocol import native_program
from workspaces.hostkit.agents.codex.usage import CodexLedger
from workspaces.hostkit.base.agent import PendingMessage, RequestDecision
from workspaces.hostkit.outcome import NO_PLACE
from workspaces.hostkit.wire import CommandAnswer

from .replay import Json, codex, lines_of


def usage_line(total: int, last: int, turn: str, thread: str = "T") -> Json:
    def tokens(number: int) -> Json:
        return {"inputTokens": number, "cachedInputTokens": 10, "cacheWriteInputTokens": 5, "outputTokens": 7}

    return {"threadId": thread, "turnId": turn, "tokenUsage": {"total": tokens(total), "last": tokens(last)}}


def test_an_approval_shows_the_command_without_its_shell() -> None:
    agent, tape = codex()
    for line in lines_of("codex-approvals"):
        if "method" in line:
            agent.feed(line)
        if line.get("method") == "item/commandExecution/requestApproval":
            break
    request = tape.of("request")[0]
    assert request["title"] == "touch w/approved-by-user; echo rc=$?"
    assert request["reason"] == "May I write outside the workspace?"
    assert agent.state == "waiting"
    agent.decide(request["id"], RequestDecision(True, scope="run"), "web")
    assert tape.sent[-1] == {"id": 0, "result": {"decision": "accept"}}
    assert tape.of("request_closed")[0]["decision"] == "allow_for_run"


def test_a_file_approval_shows_the_files() -> None:
    _, tape = codex("codex-file-approval")
    request = tape.of("request")[0]
    assert request["title"] == "out/pat.txt"
    assert request["input"]["changes"][0]["diff"] == "one\n"


def test_a_changed_file_is_told_once_it_is_written() -> None:
    _, tape = codex("codex-file-approval")
    assert [(event["path"], event["change"]) for event in tape.of("file_change")] == [("out/pat.txt", "add")]
    assert tape.of("file_change")[0]["diff"] == "@@ -0,0 +1,1 @@\n+one"
    assert [event["is_error"] for event in tape.of("tool_result")] == [False, True]


def test_a_question_is_answered_by_its_id() -> None:
    agent, tape = codex()
    for line in lines_of("codex-question"):
        if "method" in line:
            agent.feed(line)
        if line.get("method") == "item/tool/requestUserInput":
            break
    request = tape.of("request")[0]
    assert request["request_kind"] == "question"
    assert request["questions"][0]["id"] == "colour"
    agent.decide(request["id"], RequestDecision(True, answers={"colour": "Blue"}), "web")
    assert tape.sent[-1]["result"] == {"answers": {"colour": {"answers": ["Blue"]}}}


def test_the_plans_limit_ends_the_turn_with_its_reset() -> None:
    lines = [line for line in lines_of("codex-limit-and-error") if "method" in line]
    ends = [place for place, line in enumerate(lines) if line["method"] == "turn/completed"]
    agent, tape = codex("codex-limit-and-error", most=ends[1] + 1)
    assert agent.outcome is not None
    assert (agent.outcome.code, agent.outcome.resets_at) == ("limit", "2030-03-17T17:46:40Z")
    limit = tape.of("limit")[-1]
    assert limit["status"] == "reached"
    assert [window["window"] for window in limit["windows"]] == ["five_hour", "seven_day"]


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        ({"message": "x", "codexErrorInfo": "usageLimitExceeded"}, "limit", None),
        ({"message": "x", "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 401}}}, "login", 401),
        ({"message": "x", "codexErrorInfo": {"responseStreamDisconnected": {}}}, "connection", None),
        ({"message": "unexpected status 503 Service Unavailable"}, "server", 503),
        ({"message": "The model `nosuch` does not exist or you do not have access to it."}, "model", None),
        ({"message": '{"error": {"message": "bad", "type": "invalid_request_error"}}'}, "rejected", None),
        ({"message": "Missing environment variable: `KEY`."}, "login", None),
        ({"message": "stream disconnected before completion"}, "connection", None),
        ({"message": "who knows"}, "other", None),
    ],
)
def test_failures_are_classified(error: Json, code: str, status: int | None) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.status) == (code, status)


def test_the_sentence_inside_a_json_error_is_shown() -> None:
    assert failure_of({"message": '{"error": {"message": "prompt is bad"}}'}).text == "prompt is bad"


def test_a_retry_is_told_and_no_failure() -> None:
    agent, tape = codex()
    error = {"message": "Reconnecting... 1/5"}
    agent.feed({"method": "error", "params": {"error": error, "willRetry": True}})
    assert tape.of("error")[0]["retrying"]
    assert agent.retrying_since is not None
    assert agent.outcome is None


def test_a_run_counts_only_its_own_share_of_the_thread() -> None:
    ledger = CodexLedger({"inputTokens": 1000, "cachedInputTokens": 10, "outputTokens": 7})
    ledger.thread = "T"
    ledger.note(usage_line(1000, 500, "old turn"), own_turn="new turn")
    ledger.note(usage_line(1300, 300, "new turn"), own_turn="new turn")
    assert ledger.total()["input_tokens"] == 300
    assert ledger.thread_total is not None
    assert ledger.thread_total["inputTokens"] == 1300


def test_what_a_person_used_by_hand_between_two_runs_is_neithers() -> None:
    ledger = CodexLedger({"inputTokens": 1000, "cachedInputTokens": 10, "outputTokens": 7})
    ledger.thread = "T"
    ledger.note(usage_line(1700, 300, "new turn"), own_turn="new turn")
    ledger.note(usage_line(1900, 200, "new turn"), own_turn="new turn")
    assert ledger.total()["input_tokens"] == 500 - 10 - 5


def test_a_resumed_thread_without_a_known_total_starts_from_what_it_reports() -> None:
    ledger = CodexLedger(None)
    ledger.thread = "T"
    ledger.note(usage_line(1000, 500, "old turn"), own_turn="starting")
    ledger.note(usage_line(1300, 300, "new turn"), own_turn="new turn")
    assert ledger.total()["input_tokens"] == 300


def test_input_excludes_cache_reads_and_writes() -> None:
    ledger = CodexLedger(None)
    ledger.thread = "T"
    ledger.note(usage_line(100, 100, "t"), own_turn="t")
    assert ledger.total()["input_tokens"] == 85
    assert ledger.total()["cache_read_tokens"] == 10
    assert ledger.total()["cache_write_tokens"] == 5


def test_a_message_steers_a_running_turn_and_waits_otherwise() -> None:
    agent, tape = codex()
    agent.say(PendingMessage("now", "web", "m1"), "now", lambda _: None)
    assert tape.sent[-1]["method"] == "turn/steer"
    agent.say(PendingMessage("then", "web", "m2"), "after_turn", lambda _: None)
    turn = {"id": "turn-1", "status": "completed"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
    assert tape.sent[-1]["method"] == "turn/start"
    assert not agent.settled


def test_a_queued_message_can_be_withdrawn() -> None:
    agent, _ = codex()
    answers: list[CommandAnswer] = []
    agent.say(PendingMessage("then", "web", "m2"), "after_turn", lambda _: None)
    agent.withdraw("m2", answers.append)
    agent.withdraw("m2", answers.append)
    assert [answer["ok"] for answer in answers] == [True, False]


def test_what_waits_when_a_run_is_stopped_never_begins() -> None:
    agent, tape = codex()
    agent.say(PendingMessage("then", "web", "m2"), "after_turn", lambda _: None)
    agent.withdraw_all()
    turn = {"id": "turn-1", "status": "interrupted"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
    assert [message["method"] for message in tape.sent if "method" in message].count("turn/start") == 1


def test_an_interrupt_also_ends_the_command() -> None:
    agent, tape = codex()
    turn = {"id": "turn-1", "status": "interrupted"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
    assert tape.sent[-1]["method"] == "thread/backgroundTerminals/clean"
    assert not agent.settled
    agent.feed({"id": tape.sent[-1]["id"], "result": {}})
    assert agent.settled


def test_the_sandbox_may_write_what_a_commit_on_the_branch_needs(tmp_path: Path) -> None:
    worktree, common = tmp_path / "tree", tmp_path / "repo/.git"
    (worktree / ".git").mkdir(parents=True)
    own = str(common / "worktrees/tree")
    folders: dict[str, Any] = {
        "repo_git_dir": str(common),
        "git_dir": own,
        "temporary": str(tmp_path / "tmp"),
    }
    _, tape = codex(worktree=str(worktree), branch="aitask/7-x", permission_mode="edits", **folders)
    turn = next(message for message in tape.sent if message.get("method") == "turn/start")
    names = ("objects", "refs/heads/aitask", "logs/refs/heads/aitask", "worktrees/tree")
    policy = turn["params"]["sandboxPolicy"]
    assert policy["writableRoots"] == [str(common / name) for name in names]
    assert policy["excludeSlashTmp"]
    assert (common / "objects/.codex").is_dir()
    assert turn["params"]["approvalPolicy"] == "on-request"


def test_a_hidden_folder_is_denied_by_a_profile_in_place_of_the_sandbox_policy(tmp_path: Path) -> None:
    folders: dict[str, Any] = {"repo_git_dir": str(tmp_path / "repo/.git"), "unreadable": ["/srv/data"]}
    _, tape = codex(branch="aitask/7-x", permission_mode="edits", **folders)
    start, turn = (
        next(message["params"] for message in tape.sent if message.get("method") == method)
        for method in ("thread/start", "turn/start")
    )
    rules = start["config"]["permissions"]["aitask"]["filesystem"]
    assert (rules["/srv/data"], rules[":workspace_roots"]) == ("deny", {".": "write"})
    assert rules[str(tmp_path / "repo/.git/objects")] == "write"
    assert ":slash_tmp" not in rules
    assert (start["permissions"], turn["permissions"]) == ("aitask", "aitask")
    assert not {"sandbox", "sandboxPolicy"} & {*start, *turn}


def test_a_refused_start_fails_the_run() -> None:
    agent, tape = codex()
    agent.feed({"method": "error", "params": {"error": {"message": "x"}, "willRetry": False}})
    agent.outcome = None
    agent._turn = None
    agent._give_up({"error": {"message": "no rollout found"}})
    assert agent.settled
    assert tape.of("error")[-1]["text"] == "no rollout found"


@pytest.mark.parametrize(
    "text",
    [
        "no rollout found for thread id 01a2",
        "failed to read thread: thread-store internal error: failed to read session metadata /x.jsonl",
        "failed to resume thread: rollout is empty",
        "invalid paginated history lineage for 01a2: missing source rollout",
        "failed to prepare paginated fork: thread-store internal error: durable rollout shrank",
    ],
)
def test_a_thread_that_can_not_be_read_any_more_is_a_session_that_is_gone(text: str) -> None:
    agent, tape = codex(resume="thread-1")
    agent._turn = None
    agent._on_thread({"id": 3, "error": {"code": -32600, "message": text}})
    assert agent.settled
    assert agent.outcome
    assert (agent.outcome.code, tape.of("error")[-1]["text"]) == ("session", text)


def test_a_turn_that_the_thread_lacks_is_no_reason_against_the_thread() -> None:
    assert failure_of({"message": "turn not found: 01a2"})[:2] == (NO_PLACE, "fork")


def test_the_native_program_is_found_behind_the_wrapper(tmp_path: Path) -> None:
    wrapper = tmp_path / "node_modules/@openai/codex/bin/codex.js"
    vendor = tmp_path / "node_modules/@openai/codex-linux-x64/vendor"
    native = vendor / "x86_64-unknown-linux-musl/bin/codex"
    for path in (wrapper, native):
        path.parent.mkdir(parents=True)
        path.write_text("")
    link = tmp_path / "codex"
    link.symlink_to(wrapper)
    assert native_program(str(link)) in (str(native), str(link))
    assert native_program("/usr/bin/env") == "/usr/bin/env"


def test_a_sub_agent_that_works_again_in_a_later_run_counts_once() -> None:
    first = CodexLedger(None)
    first.thread = "T"
    first.note(usage_line(1000, 1000, "t"), own_turn="t")
    first.note(usage_line(400, 400, "s", thread="S"), own_turn="t")
    later = CodexLedger(first.thread_total)
    later.thread = "T"
    later.note(usage_line(700, 300, "u", thread="S"), own_turn="v")
    assert later.total()["input_tokens"] == 300
    assert first.total()["input_tokens"] == 1400 - 2 * 15


def test_a_sub_agent_that_ends_after_the_turn_is_counted() -> None:
    agent, tape = codex()
    agent.session = agent.ledger.thread = "T"
    agent.feed({"method": "thread/tokenUsage/updated", "params": usage_line(400, 400, "s", thread="S")})
    assert tape.of("usage")[-1]["input_tokens"] == 385


def test_an_interrupt_ends_the_turns_of_sub_agents_too() -> None:
    agent, tape = codex()
    agent.session = "T"
    for thread in ("T", "S"):
        agent.feed({"method": "turn/started", "params": {"threadId": thread, "turn": {"id": f"{thread}1"}}})
    agent.interrupt()
    asked = [line["params"] for line in tape.sent if line.get("method") == "turn/interrupt"]
    assert {(each["threadId"], each["turnId"]) for each in asked} == {("T", "T1"), ("S", "S1")}
