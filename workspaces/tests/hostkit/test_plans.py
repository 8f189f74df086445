"""Plans of both CLIs, by lines: what is asked, when the run goes on, and what each decision sends."""

from __future__ import annotations

from typing import Any

import pytest

from workspaces.hostkit.agents.codex.agent import Codex
from workspaces.hostkit.base.agent import PendingMessage, RequestDecision
from workspaces.hostkit.base.modes import is_wider, narrower
from workspaces.hostkit.base.plans import approval_problem, plan_event
from workspaces.hostkit.wire import CommandAnswer

from .replay import Json, Tape, claude, codex

PLAN = "# The plan\n1. Fix add\n"
EXIT: Json = {
    "subtype": "can_use_tool",
    "tool_name": "ExitPlanMode",
    "input": {"plan": PLAN, "planFilePath": "/home/a/.claude/plans/x.md"},
    "tool_use_id": "t1",
    "requires_user_interaction": True,
}


def planned(turn: str = "turn-1", text: Any = PLAN, thread: str = "thread-1", **end: Any) -> list[Json]:
    """The last lines of a turn of Codex that ends with a plan."""
    item = {"type": "plan", "id": "i1", "text": text}
    params = {"threadId": thread, "turnId": turn}
    ended = {"id": turn, "status": "completed", "items": [], **end}
    return [
        {"method": "item/started", "params": {**params, "item": {**item, "text": ""}}},
        {"method": "item/completed", "params": {**params, "item": item}},
        {"method": "turn/completed", "params": {"threadId": thread, "turn": ended}},
    ]


def codex_with(lines: list[Json], **changes: Any) -> tuple[Codex, Tape]:
    agent, tape = codex(permission_mode="plan", **changes)
    for line in lines:
        agent.feed(line)
    return agent, tape


def turns(tape: Tape) -> list[Json]:
    return [line["params"] for line in tape.sent if line.get("method") == "turn/start"]


def ignore(_answer: CommandAnswer) -> None:
    pass


class TestCodex:
    def test_the_first_turn_is_read_only_and_in_the_clis_plan_mode(self) -> None:
        _, tape = codex_with([])
        [turn] = turns(tape)
        assert turn["sandboxPolicy"] == {"type": "readOnly", "networkAccess": False}
        assert (turn["collaborationMode"]["mode"], turn["approvalPolicy"]) == ("plan", "on-request")
        [start] = [line["params"] for line in tape.sent if line.get("method") == "thread/start"]
        assert start["sandbox"] == "read-only"

    def test_other_modes_do_not_touch_the_clis_plan_mode(self) -> None:
        _, tape = codex(permission_mode="edits")
        assert "collaborationMode" not in turns(tape)[0]

    def test_a_resumed_session_may_be_planning_so_it_is_switched_off(self) -> None:
        _, tape = codex(permission_mode="edits", resume="thread-1")
        assert turns(tape)[0]["collaborationMode"]["mode"] == "default"

    def test_hidden_folders_stay_hidden(self) -> None:
        _, tape = codex_with([], unreadable=["/data"])
        [start] = [line["params"] for line in tape.sent if line.get("method") == "thread/start"]
        rules = start["config"]["permissions"]["aitask-plan"]["filesystem"]
        assert rules == {":root": "read", "/data": "deny"}
        assert (start["permissions"], turns(tape)[0]["permissions"]) == ("aitask-plan", "aitask-plan")

    def test_the_run_waits_with_the_plan_and_shows_it_once(self) -> None:
        agent, tape = codex_with(planned())
        [request] = tape.of("request")
        assert (request["plan"], request["title"]) == (PLAN, "Plan: The plan")
        assert (agent.state, agent.settled, tape.of("text")) == ("waiting", False, [])

    def test_approval_starts_a_turn_that_may_write(self) -> None:
        agent, tape = codex_with(planned())
        agent.decide("plan-1", RequestDecision(True, mode="edits"), "web")
        turn = turns(tape)[-1]
        assert turn["sandboxPolicy"]["type"] == "workspaceWrite"
        assert turn["collaborationMode"]["mode"] == "default"
        assert turn["input"][0]["text"] == "The plan is approved. Implement it."
        [closed] = tape.of("request_closed")
        assert (closed["permission_mode"], closed["edited_plan"]) == ("edits", None)

    def test_an_edited_plan_is_sent_word_for_word(self) -> None:
        agent, tape = codex_with(planned())
        agent.decide("plan-1", RequestDecision(True, mode="ask", input={"plan": "# Mine\n"}), "web")
        assert turns(tape)[-1]["input"][0]["text"].endswith("\n\n# Mine\n")
        assert tape.of("request_closed")[0]["edited_plan"] == "# Mine\n"

    def test_sent_back_it_is_revised_in_plan_mode(self) -> None:
        agent, tape = codex_with(planned())
        agent.decide("plan-1", RequestDecision(False, text="add docs"), "web")
        turn = turns(tape)[-1]
        assert (turn["input"][0]["text"], turn["sandboxPolicy"]["type"]) == ("add docs", "readOnly")
        agent.feed({"id": 5, "result": {"turn": {"id": "turn-2"}}})
        for line in planned("turn-2"):
            agent.feed(line)
        assert [event["id"] for event in tape.of("request")] == ["plan-1", "plan-2"]

    def test_messages_wait_until_the_plan_is_decided(self) -> None:
        agent, tape = codex_with(planned())
        agent.say(PendingMessage("and then", "web"), "now", ignore)
        agent.compact(ignore)
        assert len(turns(tape)) == 1
        assert not [line for line in tape.sent if line.get("method") == "thread/compact/start"]
        agent.decide("plan-1", RequestDecision(False, text="x", interrupt=True), "web")
        assert [line for line in tape.sent if line.get("method") == "thread/compact/start"]

    def test_an_interrupt_withdraws_the_plan_and_ends_the_run(self) -> None:
        agent, tape = codex_with(planned())
        agent.interrupt()
        assert tape.of("request_closed")[0]["decision"] == "withdrawn"
        assert agent.outcome is not None
        assert (agent.outcome.state, agent.settled, agent.state) == ("cancelled", True, "idle")

    @pytest.mark.parametrize("status", ["failed", "interrupted"])
    def test_the_plan_of_a_broken_turn_is_only_shown(self, status: str) -> None:
        _, tape = codex_with(planned(status=status, error={"message": "x"}))
        assert (tape.of("request"), tape.of("text")[0]["text"]) == ([], PLAN)

    def test_the_plan_of_a_sub_agent_is_no_plan_of_the_run(self) -> None:
        agent, tape = codex_with(planned(thread="another"))
        assert (tape.of("request"), tape.of("text")[0]["text"]) == ([], PLAN)
        assert agent.state != "waiting"

    def test_in_another_mode_a_plan_is_a_text(self) -> None:
        agent, tape = codex(permission_mode="edits")
        for line in planned():
            agent.feed(line)
        assert (tape.of("request"), tape.of("text")[0]["text"], agent.settled) == ([], PLAN, True)

    @pytest.mark.parametrize("odd", [None, "", 0, ["a"], {"x": 1}], ids=str)
    def test_an_odd_plan_harms_nothing(self, odd: Any) -> None:
        agent, tape = codex_with(planned(text=odd))
        assert agent.settled is not bool(tape.of("request"))


class TestClaude:
    def ask(self, **changes: Any) -> tuple[Any, Tape]:
        agent, tape = claude(permission_mode="plan", **changes)
        agent.feed({"type": "control_request", "request_id": "r1", "request": EXIT})
        return agent, tape

    def test_auto_mode_is_kept_out_of_plan_mode(self) -> None:
        agent, _ = claude(permission_mode="plan")
        words = agent.command_line("claude")
        assert "--permission-mode=plan" in words
        [given] = [word for word in words if word.startswith("--settings=")]
        assert '"useAutoModeDuringPlan": false' in given

    def test_the_edited_plan_and_the_mode_go_with_the_approval(self) -> None:
        agent, tape = self.ask()
        edited = {**EXIT["input"], "plan": "# Mine"}
        agent.decide("r1", RequestDecision(True, mode="edits", input=edited), "web")
        response = tape.sent[-1]["response"]["response"]
        assert response["updatedInput"] == edited
        assert response["updatedPermissions"][0]["mode"] == "acceptEdits"
        assert (agent.mode, tape.of("request_closed")[0]["edited_plan"]) == ("edits", "# Mine")

    def test_sent_back_without_words_it_says_what_is_expected(self) -> None:
        agent, tape = self.ask()
        agent.decide("r1", RequestDecision(False), "web")
        assert "Revise it" in tape.sent[-1]["response"]["response"]["message"]
        assert agent.mode == "plan"

    def test_a_plan_that_is_only_in_the_call_is_shown_and_sent(self) -> None:
        agent, tape = claude(permission_mode="plan")
        call = {"type": "tool_use", "id": "t1", "name": "ExitPlanMode", "input": {"plan": PLAN}}
        agent.feed({"type": "assistant", "message": {"id": "m", "content": [call], "usage": {}}})
        agent.feed({"type": "control_request", "request_id": "r1", "request": {**EXIT, "input": {}}})
        assert tape.of("request")[0]["plan"] == PLAN
        agent.decide("r1", RequestDecision(True, mode="ask"), "web")
        assert tape.sent[-1]["response"]["response"]["updatedInput"] == {"plan": PLAN}

    def test_doing_everything_does_not_approve_a_plan(self) -> None:
        agent, tape = self.ask()
        agent.set_mode("full", ignore)
        assert (list(agent.requests), tape.of("request_closed")) == (["r1"], [])


def test_doing_everything_does_not_approve_a_plan_of_codex() -> None:
    agent, tape = codex_with(planned())
    agent.set_mode("full", ignore)
    assert (list(agent.requests), tape.of("request_closed")) == (["plan-1"], [])
    assert agent.mode_after(agent.requests["plan-1"].event) == "full"


@pytest.mark.parametrize(
    ("mode", "given"),
    [
        ("plan", None),
        ("ask", {}),
        ("ask", {"plan": ""}),
        ("ask", {"plan": 3, "file": "f"}),
        ("ask", {"plan": "x"}),
        ("ask", {"plan": "x", "file": "other"}),
        ("ask", ["x"]),
    ],
    ids=str,
)
def test_of_a_plan_only_the_text_can_be_changed(mode: str, given: object) -> None:
    event = plan_event("p", "ExitPlanMode", {"plan": PLAN, "file": "f"})
    assert approval_problem(event, mode, given)
    assert not approval_problem(event, "ask", {"plan": "x", "file": "f"})


def test_modes_are_ordered_and_unknown_ones_are_the_widest() -> None:
    assert is_wider("full", "edits")
    assert is_wider("?", "full")
    assert not is_wider("plan", "ask")
    assert narrower("?", "ask") == "ask"
