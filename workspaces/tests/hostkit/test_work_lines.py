"""What the lines of both CLIs say about the agent's list, its background work and its session."""

from __future__ import annotations

from typing import Any

import pytest

from workspaces.hostkit.agents.claude_code.agent import ClaudeCode
from workspaces.hostkit.base.agent import PendingMessage
from workspaces.hostkit.base.background import Background
from workspaces.hostkit.base.progress import MOST_ITEMS, progress_items
from workspaces.hostkit.wire import CommandAnswer

from .replay import Json, Tape, claude, codex
from .test_recorded_lines import fed, samples_of

NEWEST = {"claude": samples_of("claude-2.1.332"), "codex": samples_of("codex-0.171.0")}
INIT: Json = {"type": "system", "subtype": "init", "session_id": "s1", "model": "m"}
IDLE: Json = {"type": "system", "subtype": "session_state_changed", "state": "idle"}
RUNNING: Json = {**IDLE, "state": "running"}


def system(subtype: str, **fields: Any) -> Json:
    return {"type": "system", "subtype": subtype, **fields}


def result(**fields: Any) -> Json:
    base = {"type": "result", "subtype": "success", "is_error": False, "result": "", "modelUsage": {}}
    return {**base, "num_turns": 1, "terminal_reason": "completed", **fields}


def lifecycle(wire: str, *states: str) -> list[Json]:
    return [{"type": "command_lifecycle", "command_uuid": wire, "state": state} for state in states]


def called(name: str, given: Json, result: object, parent: str | None = None, **more: Any) -> list[Json]:
    """A call of a tool and its result."""
    use = {"type": "tool_use", "id": f"{name}{given}", "name": name, "input": given}
    back = {"type": "tool_result", "tool_use_id": f"{name}{given}", "content": "ok", **more}
    return [
        {"type": "assistant", "message": {"id": "m", "content": [use]}, "parent_tool_use_id": parent},
        {
            "type": "user",
            "message": {"content": [back]},
            "parent_tool_use_id": parent,
            "tool_use_result": result,
        },
    ]


def feed(agent: ClaudeCode, *lines: Json | list[Json]) -> None:
    for line in lines:
        for each in line if isinstance(line, list) else [line]:
            agent.feed(each)


def steps(tape: Tape) -> list[tuple[str, str]]:
    return [(item["text"], item["state"]) for item in tape.of("progress")[-1]["items"]]


# the agent's own list


def test_task_tools_make_a_list_step_by_step() -> None:
    _, tape = fed("claude-2.1.332", NEWEST["claude"]["claude-11-todo-tasks"])
    assert steps(tape) == [("Fix add", "done"), ("Test", "pending")]
    assert tape.of("progress")[0]["items"] == [{"text": "Fix add", "state": "pending"}]


def test_a_whole_list_replaces_the_former_and_a_refused_one_does_not() -> None:
    agent, tape = claude()
    todos = [{"content": "A", "status": "completed"}, {"content": "B", "status": "in_progress"}]
    feed(agent, called("TodoWrite", {"todos": todos}, {}))
    feed(agent, called("TodoWrite", {"todos": todos[:1]}, "Error", is_error=True))
    feed(agent, called("TodoWrite", {"todos": todos, "x": 1}, {}))
    assert [len(event["items"]) for event in tape.of("progress")] == [2]
    assert steps(tape) == [("A", "done"), ("B", "active")]
    assert tape.of("tool")[0]["title"] == "B"


def test_the_list_of_a_sub_agent_does_not_replace_the_agents() -> None:
    agent, tape = claude()
    feed(agent, called("TodoWrite", {"todos": [{"content": "A", "status": "pending"}]}, {}))
    feed(agent, called("TodoWrite", {"todos": [{"content": "child"}]}, {}, parent="toolu_1"))
    assert steps(tape) == [("A", "pending")]


def test_a_resumed_run_goes_on_with_the_list_that_was_left() -> None:
    former = [{"text": "A", "state": "active"}, {"text": "B", "state": "pending"}]
    agent, tape = claude(resume="s1", progress=former)
    feed(agent, called("TaskUpdate", {"taskId": "1", "status": "completed"}, {"taskId": "1"}))
    feed(agent, called("TaskUpdate", {"taskId": "9", "status": "completed"}, {"taskId": "9"}))
    assert steps(tape) == [("A", "done"), ("B", "pending")]


@pytest.mark.parametrize(
    "todos",
    [None, "x", 5, {}, [None, 5, "x", {"content": ["x"]}, {"content": {}}], [[[]]], [{"status": {"a": 1}}]],
)
def test_a_list_of_another_shape_is_an_empty_one(todos: object) -> None:
    agent, tape = claude()
    feed(agent, called("TodoWrite", {"todos": todos}, {}), called("TaskList", {}, {"tasks": todos}))
    feed(agent, called("TaskCreate", {"subject": todos}, {"task": todos}))
    assert not tape.of("progress")
    assert not tape.of("raw")


def test_a_list_is_bounded() -> None:
    rows = [{"step": "x\n" * 5000, "status": "inProgress"}] * 5000
    items = progress_items(rows, "step", "status")
    assert len(items) == MOST_ITEMS
    assert items[0]["state"] == "active"
    assert len(items[0]["text"]) <= 200


def test_the_plan_of_codex_is_a_list() -> None:
    _, tape = fed("codex-0.171.0", NEWEST["codex"]["codex-09-plan-progress-background"])
    assert steps(tape) == [("Fix add", "done"), ("Test", "active")]
    agent, tape = codex()
    plan = [{"step": "Fix", "status": "completed"}, {"step": "Test", "status": "inProgress"}]
    agent.feed({"method": "turn/plan/updated", "params": {"threadId": "thread-1", "plan": plan}})
    agent.feed({"method": "turn/plan/updated", "params": {"threadId": "child", "plan": plan[:1]}})
    assert steps(tape) == [("Fix", "done"), ("Test", "active")]


def test_codex_is_asked_to_keep_a_list() -> None:
    _, tape = codex()
    start = next(line for line in tape.sent if line.get("method") == "thread/start")
    assert start["params"]["config"]["tools"] == {"update_plan": {"enabled": True}}


# messages


def sent(agent: ClaudeCode, identity: str, when: str = "now") -> str:
    """Send a message to the agent, and return its id on the wire."""
    agent.say(PendingMessage(f"text of {identity}", "web", identity), when, lambda _answer: None)
    return next(wire for wire, each in agent.waiting_messages.items() if each.identity == identity)


def test_a_message_is_taken_when_the_cli_says_so_and_not_before() -> None:
    agent, tape = claude()
    [prompt] = agent.waiting_messages
    feed(agent, RUNNING, lifecycle(prompt, "queued", "started"), INIT)
    assert [event["id"] for event in tape.of("message")] == ["prompt"]
    assert tape.kinds().index("started") < tape.kinds().index("message")
    wire = sent(agent, "m1")
    feed(agent, lifecycle(wire, "queued"), result(), lifecycle(prompt, "completed"))
    assert len(tape.of("message")) == 1
    assert not agent.settled
    feed(agent, lifecycle(wire, "started"))
    assert [event["id"] for event in tape.of("message")] == ["prompt", "m1"]


def test_a_message_that_is_cancelled_before_its_turn_is_returned_once() -> None:
    agent, tape = claude()
    [prompt] = agent.waiting_messages
    feed(agent, lifecycle(prompt, "queued", "started"), INIT)
    wire = sent(agent, "m1")
    feed(agent, lifecycle(wire, "queued", "cancelled", "cancelled"), lifecycle(prompt, "cancelled"))
    assert [(event["id"], event["text"]) for event in tape.of("message_returned")] == [("m1", "text of m1")]
    assert not agent.waiting_messages


def test_a_withdrawn_message_is_not_returned() -> None:
    agent, tape = claude()
    feed(agent, lifecycle(next(iter(agent.waiting_messages)), "queued", "started"), INIT)
    wire, answers = sent(agent, "m1"), list[CommandAnswer]()
    agent.withdraw("m1", answers.append)
    request = tape.sent[-1]["request_id"]
    feed(agent, lifecycle(wire, "cancelled"))
    reply = {"subtype": "success", "request_id": request, "response": {"cancelled": True}}
    feed(agent, {"type": "control_response", "response": reply})
    assert answers == [{"ok": True}]
    assert not tape.of("message_returned")
    assert not agent.waiting_messages


def test_stopping_a_run_cancels_what_is_queued_and_an_interrupt_does_not() -> None:
    agent, tape = claude()
    feed(agent, lifecycle(next(iter(agent.waiting_messages)), "queued", "started"), INIT)
    wire = sent(agent, "m1")
    agent.interrupt()
    assert tape.sent[-1]["request"] == {"subtype": "interrupt"}
    agent.withdraw_all()
    agent.interrupt()
    assert tape.sent[-1]["request"] == {"subtype": "interrupt", "cancel_queued": True}
    feed(agent, lifecycle(wire, "cancelled"))
    assert not tape.of("message_returned")  # the app gives it to the next run
    assert not agent.waiting_messages


def test_the_queue_of_a_recorded_interrupt_is_followed() -> None:
    agent, tape = claude()
    for line in NEWEST["claude"]["claude-16-interrupt-queue"]:
        wire = line.get("command_uuid")
        if line.get("state") == "queued" and isinstance(wire, str):
            message = PendingMessage(wire, "web", wire)
            message.wire = wire
            agent.waiting_messages[wire] = message
        agent.feed(line)
    feed(agent, INIT)
    taken = {event["id"] for event in tape.of("message")}
    assert any(
        each.startswith("6402291f") for each in taken
    )  # still queued after the interrupt, and run next
    returned = {event["id"] for event in tape.of("message_returned")}
    assert any(each.startswith("4b9ba41d") for each in returned)
    assert not taken & returned


# background


def works(tape: Tape) -> list[tuple[str, str, str]]:
    return [(event["work"], event["title"], event["state"]) for event in tape.of("background")]


def test_commands_and_sub_agents_in_the_background_begin_and_end() -> None:
    _, tape = fed("claude-2.1.332", NEWEST["claude"]["claude-12-background-subagents"])
    assert ("command", "bg", "running") in works(tape)
    assert ("command", "bg", "completed") in works(tape)
    child = [event for event in tape.of("background") if event["work"] == "agent"]
    ended = next(event for event in child if event["state"] == "completed")
    assert (ended["tool_uses"], ended["tokens"], ended["result"]) == (1, 15822, "child result")
    assert ended["tool"] == "toolu_s0_02773213f624a444d"
    nested = [event for event in tape.of("text") if event.get("parent") == ended["tool"]]
    assert [event["text"] for event in nested][:2] == ["child text", "child result"]


def test_the_full_set_replaces_what_was_known() -> None:
    agent, tape = claude()
    task = {"task_id": "a1", "task_type": "local_agent", "description": "child", "is_backgrounded": True}
    feed(agent, INIT, system("task_started", **task), result(), IDLE)
    agent.waiting_messages.clear()
    assert not agent.settled
    feed(agent, system("background_tasks_changed", tasks=[]), IDLE)
    assert agent.settled
    assert works(tape)[-1] == ("agent", "child", "completed")


def test_a_command_that_the_agent_waits_for_is_no_background_work() -> None:
    agent, tape = claude()
    task = {"task_id": "b1", "task_type": "local_bash", "description": "x", "is_backgrounded": False}
    feed(agent, system("task_started", **task), system("task_notification", task_id="b1", status="completed"))
    assert not tape.of("background")
    feed(agent, system("task_started", **task))
    feed(agent, system("task_updated", task_id="b1", patch={"is_backgrounded": True}))
    assert works(tape) == [("command", "x", "running")]
    assert agent.background_commands() == ["x"]


def test_progress_of_a_work_is_reported_now_and_then() -> None:
    tape = Tape()
    background = Background(tape.emit)
    background.begin("a", "agent", "child")
    for number in range(1000):
        background.note("a", tool_uses=number, doing="x" * 5000)
    background.end("a", "completed", tokens="many", seconds=-1, result=5)
    background.end_all()
    assert len(tape.events) <= 3
    assert tape.events[-1]["tool_uses"] == 999
    assert "tokens" not in tape.events[-1]


def test_what_runs_when_the_run_ends_is_stopped() -> None:
    agent, tape = claude()
    task = {"task_id": "b1", "task_type": "local_bash", "description": "npm start", "is_backgrounded": True}
    feed(agent, system("task_started", **task))
    agent.conclude()
    assert works(tape)[-1] == ("command", "npm start", "stopped")


def test_a_sub_agent_of_codex_is_nested_below_the_call_that_started_it() -> None:
    _, tape = fed("codex-0.171.0", NEWEST["codex"]["codex-08-async-question-subagents"])
    [call] = [event for event in tape.of("tool") if event["name"] == "sub-agent"]
    assert call["title"] == "w/helper"
    assert works(tape)[0] == ("agent", "helper", "running")
    assert works(tape)[-1] == ("agent", "helper", "completed")
    nested = [event for event in tape.of("text") if event.get("parent")]
    assert {event["parent"] for event in nested} == {call["id"]}


def test_a_command_of_codex_that_is_left_open_runs_in_the_background() -> None:
    agent, tape = codex()
    item = {"type": "commandExecution", "id": "c1", "command": "sleep 60", "processId": "77", "status": "x"}
    ids = {"threadId": "thread-1", "turnId": "turn-1"}
    agent.feed({"method": "item/started", "params": {"item": item, **ids}})
    turn = {"id": "turn-1", "status": "completed"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
    assert works(tape) == [("command", "sleep 60", "running")]
    agent.stop_background("c1", lambda _answer: None)
    assert tape.sent[-1]["method"] == "thread/backgroundTerminals/terminate"
    assert tape.sent[-1]["params"]["processId"] == "77"
    agent.feed({"method": "item/completed", "params": {"item": {**item, "exitCode": -1}, **ids}})
    assert works(tape)[-1] == ("command", "sleep 60", "stopped")


# the session


def test_a_compaction_tells_the_tokens_before_and_after() -> None:
    _, tape = fed("claude-2.1.332", NEWEST["claude"]["claude-14-auto-compact"])
    assert [(each["phase"], each["trigger"]) for each in tape.of("compaction")] == [
        ("started", "auto"),
        ("finished", "auto"),
    ]
    assert (tape.of("compaction")[1]["before"], tape.of("compaction")[1]["after"]) == (15852, 8220)


def test_a_compaction_on_request_waits_for_the_turn_and_keeps_its_outcome() -> None:
    agent, tape = claude()
    refused: list[CommandAnswer] = []
    agent.compact(refused.append)
    assert not refused[0]["ok"]
    feed(agent, lifecycle(next(iter(agent.waiting_messages)), "queued", "started"), INIT)
    answers: list[CommandAnswer] = []
    agent.compact(answers.append)
    assert answers == [{"ok": True}]
    assert tape.sent[-1]["priority"] == "later"
    wire = tape.sent[-1]["uuid"]
    feed(agent, result(is_error=True, result="no", num_turns=1), IDLE)
    assert not agent.settled
    feed(agent, lifecycle(wire, "queued", "started"), system("status", status="compacting"))
    feed(agent, system("status", status=None, compact_result="failed", compact_error="too short"))
    done = result(num_turns=0, local_command="compact")
    del done["terminal_reason"]
    feed(agent, done, lifecycle(wire, "completed"), IDLE)
    assert agent.settled
    assert agent.outcome
    assert agent.outcome.state == "failed"
    assert [(each["phase"], each.get("text")) for each in tape.of("compaction")] == [
        ("started", None),
        ("failed", "too short"),
    ]
    assert not tape.of("message_returned")


def test_a_second_request_for_the_same_compaction_is_not_sent() -> None:
    agent, tape = claude()
    feed(agent, INIT)
    answers: list[Any] = []
    for _ in range(2):
        agent.compact(answers.append)
    assert answers == [{"ok": True}] * 2
    assert str(tape.sent).count("/compact") == 1


def test_a_compaction_that_does_not_even_begin_tells_why() -> None:
    agent, tape = claude()
    feed(agent, lifecycle(next(iter(agent.waiting_messages)), "queued", "started"), INIT, result())
    agent.compact(lambda _answer: None)
    feed(agent, result(num_turns=0, local_command="compact", result="Not enough messages to compact."))
    assert [each["text"] for each in tape.of("compaction")] == ["Not enough messages to compact."]
    assert not tape.of("local_command")


def test_a_compaction_that_a_person_has_typed_tells_why_it_failed() -> None:
    agent, tape = claude()
    feed(agent, {**INIT, "slash_commands": ["compact"]}, result())
    failed = result(num_turns=0, local_command="compact", result="Not enough messages.")
    for lines in ([failed], [system("compact_boundary", compact_metadata={}), failed]):
        agent.say(PendingMessage("/compact", "web"), "now", lambda _answer: None)
        feed(agent, lines)
    assert [each["phase"] for each in tape.of("compaction")] == ["failed", "finished"]
    assert not tape.of("local_command")


def test_an_older_version_does_not_replay_the_command_that_it_executes() -> None:
    agent, tape = claude()
    feed(agent, RUNNING, {**INIT, "slash_commands": ["compact"]}, result(), IDLE)
    agent.say(PendingMessage("/compact", "web", "m1"), "now", lambda _answer: None)
    output = {"content": "<local-command-stdout>Compacted</local-command-stdout>"}
    feed(agent, RUNNING, {"type": "user", "isReplay": True, "uuid": "other", "message": output})
    done = result(num_turns=0)
    del done["terminal_reason"]
    feed(agent, done, IDLE)
    assert [event["id"] for event in tape.of("message")] == ["prompt", "m1"]
    assert agent.settled


def test_an_older_version_that_does_not_tell_is_settled_when_it_is_idle() -> None:
    agent, _ = claude()
    feed(agent, RUNNING, INIT, result())
    agent.compact(lambda _answer: None)
    feed(agent, system("compact_boundary", compact_metadata={"trigger": "manual"}), result(num_turns=0), IDLE)
    assert agent.settled


def test_codex_compacts_after_the_turn_and_never_in_it() -> None:
    agent, tape = codex()
    agent.compact(lambda _answer: None)
    assert tape.sent[-1]["method"] != "thread/compact/start"
    turn = {"id": "turn-1", "status": "completed"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
    assert tape.sent[-1]["method"] == "thread/compact/start"
    assert not agent.settled
    agent.feed({"id": tape.sent[-1]["id"], "error": {"message": "not now"}})
    assert tape.of("compaction")[0]["text"] == "not now"
    assert agent.settled


@pytest.mark.parametrize("kind", ["model_fallback", "model_refusal_fallback"])
def test_a_replaced_model_is_told(kind: str) -> None:
    agent, tape = claude()
    feed(agent, system(kind, original_model="a", fallback_model="b", content="Switched to b"))
    event = tape.of("model_change")[0]
    assert (event["before"], event["model"], event["text"]) == ("a", "b", "Switched to b")


def test_codex_tells_a_rerouted_model_and_a_title() -> None:
    agent, tape = codex()
    given = {"threadId": "thread-1", "fromModel": "a", "toModel": "b", "reason": "highRiskCyberActivity"}
    agent.feed({"method": "model/rerouted", "params": given})
    agent.feed({"method": "thread/name/updated", "params": {"threadId": "thread-1", "threadName": "Sort"}})
    agent.feed({"method": "thread/name/updated", "params": {"threadId": "other", "threadName": "Not"}})
    assert (tape.of("model_change")[0]["model"], tape.of("model_change")[0]["why"]) == ("b", "rerouted")
    assert [event["text"] for event in tape.of("title")] == ["Sort"]


def test_clear_moves_the_run_to_another_session_with_an_empty_list() -> None:
    agent, tape = claude()
    feed(agent, INIT, called("TodoWrite", {"todos": [{"content": "A", "status": "pending"}]}, {}))
    feed(agent, {"type": "conversation_reset", "new_conversation_id": "s2"}, {**INIT, "session_id": "s2"})
    assert [event["cli_session"] for event in tape.of("session")] == ["s2"]
    assert agent.session == "s2"
    assert tape.of("progress")[-1]["items"] == []


def test_the_output_of_a_local_command_is_shown_once_and_as_what_it_is() -> None:
    agent, tape = claude()
    text = {"type": "text", "text": "Cost: $1"}
    line = {"type": "assistant", "message": {"id": "x", "model": "<synthetic>", "content": [text]}}
    feed(agent, INIT, line, result(result="Cost: $1", local_command="usage", num_turns=0))
    assert not tape.of("text")
    assert [(each["name"], each["output"]) for each in tape.of("local_command")] == [("usage", "Cost: $1")]
    feed(agent, line, result())
    assert [event["text"] for event in tape.of("text")] == ["Cost: $1"]


def test_extra_usage_beyond_the_plan_is_told() -> None:
    agent, tape = claude()
    info = {"status": "allowed", "rateLimitType": "five_hour", "utilization": 1.0, "isUsingOverage": True}
    feed(agent, {"type": "rate_limit_event", "rate_limit_info": info})
    assert [event.get("extra_usage") for event in tape.of("limit")] == [True]


def test_notices_and_titles_of_the_session_are_shown() -> None:
    agent, tape = claude()
    feed(agent, system("informational", content="Be careful", level="warning"))
    feed(agent, system("notification", message="Hello"), system("session_title_changed", title="Sort it"))
    assert [event["text"] for event in tape.of("notice")] == ["Be careful", "Hello"]
    assert [event["text"] for event in tape.of("title")] == ["Sort it"]


def test_an_older_sub_agent_of_codex_is_known_by_the_call_that_has_spawned_it() -> None:
    agent, tape = codex()
    own, child = {"threadId": "thread-1", "turnId": "turn-1"}, {"threadId": "child", "turnId": "turn-2"}
    item = {"type": "collabAgentToolCall", "id": "c1", "tool": "spawnAgent", "prompt": "Look\nat it"}
    agent.feed({"method": "item/started", "params": {"item": {**item, "receiverThreadIds": []}, **own}})
    states = {"child": {"status": "pendingInit"}}
    done = {**item, "receiverThreadIds": ["child"], "agentsStates": states, "status": "completed"}
    agent.feed({"method": "item/completed", "params": {"item": done, **own}})
    agent.feed({"method": "turn/started", "params": {"threadId": "child", "turn": {"id": "turn-2"}}})
    said = {"type": "agentMessage", "id": "m", "text": "found"}
    agent.feed({"method": "item/completed", "params": {"item": said, **child}})
    assert works(tape) == [("agent", "Look at it", "running")]
    assert (tape.of("text")[-1]["text"], tape.of("text")[-1]["parent"]) == ("found", "c1")
    agent.stop_background("child", lambda _answer: None)
    assert tape.sent[-1]["method"] == "turn/interrupt"
    assert tape.sent[-1]["params"] == {"threadId": "child", "turnId": "turn-2"}
    turn = {"id": "turn-2", "status": "interrupted"}
    agent.feed({"method": "turn/completed", "params": {"threadId": "child", "turn": turn}})
    agent.feed({"method": "turn/started", "params": {"threadId": "child", "turn": {"id": "turn-3"}}})
    assert [state for _, _, state in works(tape)] == ["running", "stopped", "running"]
