"""Plan runs: how each CLI is asked, and what becomes of wrong, lying and empty answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workspaces.hostkit.base import proposals
from workspaces.tests.hostkit.replay import Tape, claude, codex

TASK = {
    "title": "Store prices in minor units",
    "prompt": "Change `Order.total`.",
    "after": [],
    "touches": ["shop/models.py"],
    "check": "just test",
    "size": "S",
}
GOOD = {"tasks": [TASK, {**TASK, "title": "A currency per shop", "after": [0]}]}


def task(number: int, **changes: Any) -> dict[str, Any]:
    return {**TASK, "title": f"Task {number}", **changes}


def titles(reading: proposals.AnswerReading) -> list[str]:
    return [item["title"] for item in reading.items]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps(GOOD["tasks"]),
        f"Here it is:\n\n```json\n{json.dumps(GOOD, indent=1)}\n```\n\nShall I start?",
        f"My plan is {json.dumps(GOOD)}, as you wished.",
        f"I have read {{this}}. {json.dumps(GOOD)} It needs no {{more}}.",
        f"{json.dumps(GOOD)}\n\n{json.dumps(GOOD)}",
        f"\ufeff{json.dumps(GOOD)}",
    ],
)
def test_an_answer_is_read_alone_in_code_and_between_words(text: str) -> None:
    assert json.dumps(proposals.read_text(text).items) == json.dumps(GOOD["tasks"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "gave no answer"),
        (" \n", "gave no answer"),
        ("I have done it all, no need for tasks.", "answered in words"),
        ('{"tasks": [', "is cut off"),
        (json.dumps(GOOD)[: len(json.dumps(GOOD)) // 2], "is cut off"),
        (f"Here:\n```json\n{json.dumps(GOOD, indent=1)[:-9]}\n```", "is cut off"),
        ('{"tasks": [{"title": "a", "prompt": "b",}]}', "not valid JSON"),
        ('{"tasks": [{"title": "a", "after": [%s]}]}' % ("9" * 500_000), "not valid JSON"),
        ('{"tasks": [NaN]}', "not valid JSON"),
        (json.dumps(json.dumps(GOOD)), "answered in words"),
        ("<ol><li>Fix it</li></ol>", "answered in words"),
        (json.dumps({"Tasks": [TASK]}), "has no list of tasks"),
        (json.dumps({"tasks": [[TASK]]}), "Task 1 of the agent's answer has neither"),
        (json.dumps({"tasks": [None, TASK]}), "Task 1 of the agent's answer has neither"),
        (json.dumps({"tasks": [{"title": "\x00\u200b", "prompt": "\x07 \n"}]}), "has neither a title"),
        ("[" * 100_000, "answered in words"),
        ("x" * 5_000_000, "too long"),
        ("{}", "has no list of tasks"),
        ('{"tasks": {"title": "a"}}', "has no list of tasks"),
        ('{"tasks": null}', "has no list of tasks"),
        ('{"tasks": []}', "proposes no tasks"),
        ('{"tasks": ["Fix it"]}', "Task 1 of the agent's answer has neither"),
        ('{"tasks": [{"title": 7, "prompt": ["x"]}]}', "has neither a title nor a prompt"),
        (json.dumps({"tasks": [TASK, {"after": []}]}), "Task 2 of the agent's answer has neither"),
        (json.dumps({"tasks": [TASK] * 10_000}), "proposes 10,000 tasks"),
        (json.dumps({"tasks": [{**TASK, "prompt": "long " * 4000}] * 100}), "too long to be kept"),
    ],
)
def test_an_answer_that_can_not_be_used_is_a_sentence(answer: str, words: str) -> None:
    reading = proposals.read_text(answer)
    assert words in reading.problem
    assert reading.items == []


@pytest.mark.parametrize(
    ("tasks", "after", "words"),
    [
        ([task(1, after=[1]), task(2, after=[0])], [[1], []], "circle"),
        ([task(1, after=[0])], [[]], "after itself"),
        ([task(1, after=[7])], [[]], "which is not there"),
        ([task(1, after=[-1])], [[]], "which is not there"),
        ([task(1), task(2, after="0")], [[], []], "could not be read"),
        ([task(1), task(2, after=["0"])], [[], []], "could not be read"),
        ([task(1), task(2, after=[True])], [[], []], "could not be read"),
        ([task(1), task(2, after=[0.5])], [[], []], "could not be read"),
        ([task(1, after=[2]), task(2, after=[0]), task(3, after=[1])], [[2], [0], []], "circle"),
        ([task(1, after=[1, 1, 1]), task(2)], [[1], []], ""),
        ([task(1, after=[10**300])], [[]], "which is not there"),
        ([task(1), task(2, after=[0] * 2000)], [[], []], "could not be read"),
        ([task(1), task(2, after=["Task 1"])], [[], []], "could not be read"),
        ([task(1), task(2, after={"0": True})], [[], []], "could not be read"),
        ([task(1), task(1)], [[], []], "same title"),
        ([task(1, prompt="")], [[]], "has no prompt"),
        ([task(1, title="")], [[]], "has no title"),
        ([task(1, prompt="x" * 30_000)], [[]], "was cut"),
    ],
)
def test_what_can_be_put_right_is_noted(tasks: list[Any], after: list[list[int]], words: str) -> None:
    reading = proposals.read({"tasks": tasks})
    assert [item["after"] for item in reading.items] == after
    assert words in " ".join(reading.notes)
    assert not reading.problem


def test_two_hundred_tasks_that_each_come_after_fifty_keep_their_order() -> None:
    many = [task(number, after=list(range(max(0, number - 50), number))) for number in range(proposals.MOST)]
    reading = proposals.read(many)
    assert [item["after"] for item in reading.items] == [each["after"] for each in many]
    assert reading.notes == []


def test_missing_and_wrong_parts_are_empty() -> None:
    given = {"title": "A", "prompt": "a", "touches": "x.py", "check": 3, "size": None}
    (item,) = proposals.read([given]).items
    assert (item["touches"], item["after"], item["check"], item["size"]) == (["x.py"], [], "", "")


def test_a_title_is_one_line_that_can_be_seen() -> None:
    reading = proposals.read(
        [task(1, title="\x1b[31mRed\x07\n<b>b</b> \u202eabc\u200b"), task(2, title="x" * 999)]
    )
    assert titles(reading)[0] == "[31mRed <b>b</b> abc"
    assert len(titles(reading)[1]) == proposals.LONGEST_TITLE


# the CLIs


def claude_result(**result: Any) -> Tape:
    agent, tape = claude(kind="plan")
    agent.feed({"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, **result})
    assert agent.outcome is not None
    tape.events.append({"kind": "outcome", "code": agent.outcome.code, "state": agent.outcome.state})
    return tape


def test_claude_code_only_reads_and_is_told_the_form_of_its_answer() -> None:
    agent, _ = claude(kind="plan", permission_mode="full")
    argv = agent.command_line("claude")
    assert "--permission-mode=dontAsk" in argv
    assert argv[argv.index("--tools") + 1] == "Read,Grep,Glob"
    assert json.loads(argv[argv.index("--json-schema") + 1]) == proposals.SCHEMA
    assert "--strict-mcp-config" in argv


def test_other_runs_of_claude_code_are_not_asked_for_proposals() -> None:
    argv = claude()[0].command_line("claude")
    assert not {"--json-schema", "--tools"} & set(argv)


def test_the_object_of_claude_code_is_proposed() -> None:
    tape = claude_result(structured_output=GOOD, result="{}")
    assert tape.of("proposals")[0]["items"] == GOOD["tasks"]
    assert tape.of("outcome") == [{"kind": "outcome", "code": "", "state": "succeeded"}]


def test_a_success_of_claude_code_without_the_object_is_read_as_text() -> None:
    assert claude_result(result=json.dumps(GOOD)).of("proposals")


@pytest.mark.parametrize(
    "result",
    [
        {"result": "Done."},
        {"result": ""},
        {"structured_output": {}},
        {"structured_output": {"tasks": "none"}},
        {
            "subtype": "error_max_structured_output_retries",
            "is_error": True,
            "errors": ["/tasks must be array"],
        },
    ],
)
def test_a_wrong_answer_of_claude_code_is_a_failure_with_what_to_do(result: dict[str, Any]) -> None:
    tape = claude_result(**result)
    assert tape.of("proposals") == []
    assert tape.of("outcome") == [{"kind": "outcome", "code": "proposals", "state": "failed"}]
    (error,) = tape.of("error")
    assert error["text"].endswith(proposals.ASK_AGAIN)
    assert not error["retrying"]


def test_what_claude_code_asks_in_a_plan_run_is_denied() -> None:
    agent, tape = claude(kind="plan", permission_mode="full")
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "touch x"}}
    agent.mode = "ask"
    agent.feed({"type": "control_request", "request_id": "r1", "request": request})
    answer = tape.sent[-1]["response"]["response"]
    assert answer["behavior"] == "deny"
    assert agent.requests == {}


def codex_turn(text: str | None, **turn: Any) -> Tape:
    agent, tape = codex(kind="plan")
    thread = agent.session
    if text is not None:
        item = {"type": "agentMessage", "id": "m", "text": text}
        agent.feed({"method": "item/completed", "params": {"threadId": thread, "turnId": "t", "item": item}})
    completed = {"threadId": thread, "turn": {"id": "t", "status": "completed", **turn}}
    agent.feed({"method": "turn/completed", "params": completed})
    assert agent.outcome is not None
    tape.events.append({"kind": "outcome", "code": agent.outcome.code, "state": agent.outcome.state})
    return tape


def test_codex_only_reads_and_is_told_the_form_of_its_answer() -> None:
    _, tape = codex(kind="plan", permission_mode="full")
    calls = {sent["method"]: sent.get("params") or {} for sent in tape.sent if "method" in sent}
    assert calls["thread/start"]["sandbox"] == "read-only"
    turn = calls["turn/start"]
    assert turn["outputSchema"] == proposals.SCHEMA
    assert turn["sandboxPolicy"] == {"type": "readOnly", "networkAccess": False}
    assert turn["approvalPolicy"] == "on-request"  # with never, tools of MCP servers would be allowed
    assert "collaborationMode" not in turn


def test_the_text_of_codex_is_proposed() -> None:
    tape = codex_turn(json.dumps(GOOD))
    assert tape.of("proposals")[0]["items"] == GOOD["tasks"]
    assert tape.of("outcome") == [{"kind": "outcome", "code": "", "state": "succeeded"}]


@pytest.mark.parametrize("text", [None, "", "Done.", '{"tasks": []}', '{"tasks": [{}]}', "null", "7"])
def test_a_wrong_answer_of_codex_is_a_failure_with_what_to_do(text: str | None) -> None:
    tape = codex_turn(text)
    assert tape.of("proposals") == []
    assert tape.of("outcome") == [{"kind": "outcome", "code": "proposals", "state": "failed"}]
    assert tape.of("error")[0]["text"].endswith(proposals.ASK_AGAIN)


def test_what_codex_asks_in_a_plan_run_is_declined() -> None:
    agent, tape = codex(kind="plan")
    params = {"threadId": agent.session, "turnId": "t", "itemId": "i", "command": "touch x", "cwd": "/x"}
    agent.feed({"id": 9, "method": "item/commandExecution/requestApproval", "params": params})
    assert tape.sent[-1] == {"id": 9, "result": {"decision": "decline"}}
    assert agent.requests == {}
