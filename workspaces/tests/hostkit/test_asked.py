"""What a CLI asks besides approvals and questions: forms, links, tools of MCP servers, and the unknown."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from workspaces.hostkit.base.agent import RequestDecision
from workspaces.hostkit.run.commands import Commands

from .replay import Json, Tape, claude, codex
from .test_consent import ask_claude

FORM: Json = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "pin": {"type": "string", "format": "password"}},
    "required": ["name"],
}
ELICITATION = "mcpServer/elicitation/request"
OF_THREAD: Json = {"threadId": "thread-1", "turnId": "turn-1", "serverName": "demo"}
APPROVAL: Json = {
    **OF_THREAD,
    "mode": "form",
    "message": 'Allow the demo MCP server to run tool "wipe"?',
    "requestedSchema": {"type": "object", "properties": {}},
    "_meta": {
        "codex_approval_kind": "mcp_tool_call",
        "persist": ["session", "always"],
        "tool_name": "wipe",
        "tool_description": "Wipes it",
        "tool_params": {"x": "1"},
        "tool_annotations": {"readOnlyHint": False, "destructiveHint": True},
    },
}


def control(agent: Any, tape: Tape, **request: Any) -> Json:
    agent.feed({"type": "control_request", "request_id": "r1", "request": request})
    return tape.of("request")[-1] if tape.of("request") else {}


def server_request(agent: Any, tape: Tape, method: str, params: Json, key: int = 0) -> Json:
    agent.feed({"id": key, "method": method, "params": params})
    return tape.of("request")[-1] if tape.of("request") else {}


def asked_of(backend: str, mode: str = "ask", how: str = "form", **given: Any) -> tuple[Any, Tape, Json]:
    """An agent whose MCP server asks something, and the request."""
    if backend == "codex":
        agent, tape = codex(permission_mode=mode)
        params = {**OF_THREAD, "mode": how, "_meta": None, "message": "Fill in", **given}
        return agent, tape, server_request(agent, tape, ELICITATION, params)
    claude_agent, tape = claude(permission_mode=mode)
    names = {"requestedSchema": "requested_schema", "elicitationId": "elicitation_id"}
    fields = {"mode": how, "message": "Fill in", **{names.get(k, k): v for k, v in given.items()}}
    asked = control(claude_agent, tape, subtype="elicitation", mcp_server_name="demo", **fields)
    return claude_agent, tape, asked


def replied(tape: Tape) -> Json:
    """The last answer in MCP's words, whichever CLI it went to."""
    sent = tape.sent[-1]
    reply: Json = sent["result"] if "result" in sent else sent["response"]["response"]
    return {name: value for name, value in reply.items() if value is not None}


def commanded(agent: Any, command: str, **fields: Any) -> Json:
    """The runner's answer to a command about the open request."""
    heard: list[Any] = []
    runner: Any = SimpleNamespace(agent=agent, emit=agent.host.emit)
    given = {"command": command, "request": next(iter(agent.requests)), **fields}
    Commands(runner).handle(given, "web", heard.append)
    answer: Json = heard[0]
    return answer


BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])


@BACKENDS
@pytest.mark.parametrize("mode", ["ask", "edits", "full"])
def test_a_form_waits_for_a_person_in_every_mode(backend: str, mode: str) -> None:
    agent, tape, request = asked_of(backend, mode, requestedSchema=FORM)
    assert (request["request_kind"], request["server"], request["message"]) == ("form", "demo", "Fill in")
    assert request["schema"] == FORM
    assert agent.state == "waiting"
    agent.set_mode("full", lambda _answer: None)
    assert len(agent.requests) == 1
    agent.decide(request["id"], RequestDecision(True, content={"name": "Ann", "pin": "1234"}), "web")
    assert replied(tape) == {"action": "accept", "content": {"name": "Ann", "pin": "1234"}}
    closed = tape.of("request_closed")[-1]
    assert (closed["decision"], closed["content"]) == ("submit", {"name": "Ann", "pin": "(not recorded)"})


@BACKENDS
@pytest.mark.parametrize(
    ("decision", "action", "closed"),
    [
        (RequestDecision(False), "decline", "deny"),
        (RequestDecision(False, cancel=True), "cancel", "cancel"),
        (RequestDecision(False, interrupt=True), "cancel", "deny"),
    ],
)
def test_a_form_is_declined_or_cancelled(
    backend: str, decision: RequestDecision, action: str, closed: str
) -> None:
    agent, tape, request = asked_of(backend, requestedSchema=FORM)
    agent.decide(request["id"], decision, "web")
    assert replied(tape) == {"action": action}
    assert tape.of("request_closed")[-1]["decision"] == closed


@BACKENDS
def test_a_link_is_accepted_without_content(backend: str) -> None:
    agent, tape, request = asked_of(backend, how="url", url="https://a.b/c", elicitationId="e")
    assert (request["request_kind"], request["url"]) == ("link", "https://a.b/c")
    agent.decide(request["id"], RequestDecision(True), "web")
    assert replied(tape)["action"] == "accept"


@BACKENDS
def test_what_is_no_form_is_shown_raw_and_answered_as_json_that_fits_its_schema(backend: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}}
    agent, tape, request = asked_of(backend, requestedSchema=schema)
    assert "schema" not in request
    assert request["input"]["requested schema"] == schema
    assert "can't be shown as a form" in request["reason"]
    assert commanded(agent, "submit", content={"a": {}})["error"] == "a.b: It is required."
    assert not commanded(agent, "approve")["ok"]
    assert commanded(agent, "submit", content={"a": {"b": [1]}})["ok"]
    assert replied(tape)["content"] == {"a": {"b": [1]}}


@BACKENDS
def test_the_host_checks_a_form_before_it_is_sent(backend: str) -> None:
    agent, tape, _ = asked_of(backend, requestedSchema=FORM)
    assert "name: This field is required." in commanded(agent, "submit", content={})["error"]
    for content in ({"name": 5}, {"name": "Ann", "more": 1}, "x"):
        assert not commanded(agent, "submit", content=content)["ok"]
    assert not commanded(agent, "approve")["ok"]
    assert commanded(agent, "submit", content={"name": "Ann"})["ok"]
    assert replied(tape)["content"] == {"name": "Ann"}


class TestToolsOfCodex:
    def test_an_approval_shows_tool_parameters_and_hints(self) -> None:
        agent, tape = codex()
        request = server_request(agent, tape, ELICITATION, APPROVAL)
        assert (request["request_kind"], request["tool"], request["input"]) == (
            *("approval", "demo.wipe"),
            {"x": "1"},
        )
        assert request["title"] == 'demo.wipe: {"x": "1"}'
        assert request["description"] == "Wipes it"
        assert "changes something, may destroy something" in request["reason"]
        agent.decide("0", RequestDecision(True), "web")
        assert tape.sent[-1] == {"id": 0, "result": {"action": "accept", "content": {}, "_meta": None}}

    def test_for_the_run_means_the_same_parameters(self) -> None:
        agent, tape = codex()
        server_request(agent, tape, ELICITATION, APPROVAL)
        agent.decide("0", RequestDecision(True, scope="run"), "web")
        server_request(agent, tape, ELICITATION, APPROVAL, 1)
        assert not agent.requests
        other = {**APPROVAL, "_meta": {**APPROVAL["_meta"], "tool_params": {"x": "2"}}}
        server_request(agent, tape, ELICITATION, other, 2)
        assert len(agent.requests) == 1

    def test_every_call_of_the_tool_is_a_grant_in_words_that_ends_with_the_run(self) -> None:
        agent, tape = codex()
        request = server_request(agent, tape, ELICITATION, APPROVAL)
        (grant,) = request["grants"]
        assert "every call of the tool `wipe` of the MCP server `demo`" in grant["text"]
        agent.decide("0", RequestDecision(True, grant=grant["id"]), "web")
        assert tape.sent[-1]["result"]["_meta"] == {"persist": "session"}
        assert tape.of("request_closed")[-1]["text"] == grant["text"]

    def test_in_full_mode_it_is_allowed(self) -> None:
        agent, tape = codex(permission_mode="full")
        server_request(agent, tape, ELICITATION, APPROVAL)
        assert not agent.requests
        assert tape.sent[-1]["result"]["action"] == "accept"

    @pytest.mark.parametrize(
        "forged",
        [
            {"message": "Transfer 1,000?"},
            {"requestedSchema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        ],
    )
    def test_a_server_that_writes_like_an_approval_is_asked_about_as_a_form(self, forged: Json) -> None:
        agent, tape = codex(permission_mode="full")
        request = server_request(agent, tape, ELICITATION, {**APPROVAL, **forged})
        assert request["request_kind"] == "form"
        assert request["input"]["_meta"]["codex_approval_kind"] == "mcp_tool_call"
        assert agent.requests

    def test_a_denial_with_words_reaches_the_agent(self) -> None:
        agent, tape = codex()
        server_request(agent, tape, ELICITATION, APPROVAL)
        agent.decide("0", RequestDecision(False, text="Not that"), "web")
        assert any((sent.get("result") or {}).get("action") == "decline" for sent in tape.sent)
        assert "Not that" in str(tape.sent)


class TestWithdrawn:
    def test_an_interrupted_turn_of_codex_closes_its_form(self) -> None:
        agent, tape, _ = asked_of("codex", requestedSchema=FORM)
        turn = {"id": "turn-1", "status": "interrupted", "items": []}
        agent.feed({"method": "turn/completed", "params": {"threadId": "thread-1", "turn": turn}})
        assert tape.of("request_closed")[-1]["decision"] == "withdrawn"
        assert not agent.requests

    def test_a_form_of_a_sub_agent_stays_when_another_thread_ends_its_turn(self) -> None:
        agent, tape = codex()
        params = {**OF_THREAD, "threadId": "child", "mode": "form", "message": "m", "requestedSchema": FORM}
        server_request(agent, tape, ELICITATION, params)
        for thread, left in (("thread-1", 1), ("child", 0)):
            turn = {"id": "t", "status": "completed", "items": []}
            agent.feed({"method": "turn/completed", "params": {"threadId": thread, "turn": turn}})
            assert len(agent.requests) == left

    def test_claude_code_withdraws_a_form(self) -> None:
        agent, tape, _ = asked_of("claude_code", requestedSchema=FORM)
        agent.feed({"type": "control_cancel_request", "request_id": "r1"})
        assert tape.of("request_closed")[-1]["decision"] == "withdrawn"

    def test_an_interrupted_turn_of_an_old_claude_code_closes_its_form(self) -> None:
        agent, tape, _ = asked_of("claude_code", requestedSchema=FORM)
        aborted = {"subtype": "error_during_execution", "terminal_reason": "aborted_tools", "is_error": True}
        agent.feed({"type": "result", "session_id": "s", "modelUsage": {}, **aborted})
        assert tape.of("request_closed")[-1]["decision"] == "withdrawn"


class TestUnknown:
    def test_claude_code_gets_the_answer_that_a_person_has_typed(self) -> None:
        agent, tape = claude(permission_mode="full")
        request = control(agent, tape, subtype="request_user_dialog", dialog_kind="new", payload={"a": 1})
        assert request["request_kind"] == "unknown"
        assert request["input"]["payload"] == {"a": 1}
        agent.decide("r1", RequestDecision(True, content={"behavior": "cancelled"}), "web")
        assert tape.sent[-1]["response"] == {
            **{"subtype": "success", "request_id": "r1"},
            **{"response": {"behavior": "cancelled"}},
        }

    def test_codex_gets_a_persons_no(self) -> None:
        agent, tape = codex(permission_mode="full")
        request = server_request(agent, tape, "item/new/request", {"threadId": "thread-1", "a": [1]})
        assert (request["request_kind"], request["input"]["a"]) == ("unknown", [1])
        agent.decide("0", RequestDecision(False), "web")
        assert tape.sent[-1]["error"]["code"] == -32000

    @pytest.mark.parametrize("given", [[1], "x", 5, {"a": {"b": [None]}}])
    def test_what_is_no_object_is_shown_and_answered_too(self, given: Any) -> None:
        agent, tape = claude()
        agent.feed({"type": "control_request", "request_id": "r1", "request": given})
        agent.decide("r1", RequestDecision(True, content={"ok": 1}), "web")
        other, second = codex()
        server_request(other, second, "item/new/request", given)
        other.decide("0", RequestDecision(True, content={"ok": 1}), "web")
        shown = [each.of("request")[-1]["input"] for each in (tape, second)]
        assert shown == ([given] * 2 if isinstance(given, dict) else [{"request": given}, {"params": given}])
        assert tape.sent[-1]["response"]["response"] == second.sent[-1]["result"] == {"ok": 1}

    @pytest.mark.parametrize("mode", ["ask", "full"])
    def test_what_is_asked_in_other_words_than_before_is_shown_raw(self, mode: str) -> None:
        agent, tape = claude(permission_mode=mode)
        asked = control(agent, tape, subtype="can_use_tool", tool_name="AskUserQuestion", input=["new"])
        assert (asked["request_kind"], asked["input"]["input"]) == ("unknown", ["new"])
        agent.decide("r1", RequestDecision(False, text="no"), "web")
        assert tape.sent[-1]["response"]["error"] == "no"
        other, second = codex(permission_mode=mode)
        params = {"threadId": "thread-1", "questions": ["which?"]}
        asked = server_request(other, second, "item/tool/requestUserInput", params)
        assert (asked["request_kind"], asked["input"]) == ("unknown", params)
        other.decide("0", RequestDecision(True, content={"answers": {}}), "web")
        assert second.sent[-1] == {"id": 0, "result": {"answers": {}}}

    def test_codex_gets_the_answer_under_the_id_that_it_has_written(self) -> None:
        for identity in (7, "7", "a"):
            agent, tape = codex()
            agent.feed({"id": identity, "method": "item/new/request", "params": {}})
            agent.decide(str(identity), RequestDecision(False), "web")
            assert tape.sent[-1]["id"] == identity

    def test_what_only_machines_can_answer_is_refused_with_a_line_that_says_so(self) -> None:
        agent, tape = claude()
        control(agent, tape, subtype="mcp_message", server_name="x", message={})
        assert tape.sent[-1]["response"]["subtype"] == "error"
        assert "mcp_message" in tape.of("notice")[-1]["text"]
        other, second = codex()
        server_request(other, second, "account/chatgptAuthTokens/refresh", {})
        assert "error" in second.sent[-1]
        assert "refresh" in second.of("notice")[-1]["text"]

    @pytest.mark.parametrize("subtype", [None, 5, [], {}, "x" * 5000])
    def test_an_odd_subtype_harms_nothing(self, subtype: Any) -> None:
        agent, tape = claude()
        assert control(agent, tape, subtype=subtype)["request_kind"] == "unknown"


def test_a_prompt_that_only_a_person_may_answer_is_not_answered_by_the_mode() -> None:
    agent, tape = claude(permission_mode="full")
    assert ask_claude(agent, tape, "mcp__a__b", {"x": 1}, requires_user_interaction=True) is not None
    assert ask_claude(agent, tape, "mcp__a__b", {"x": 1}, "r2") is None


def test_the_server_of_a_tool_is_named() -> None:
    agent, tape = claude()
    server = {"name": "demo", "source": "project"}
    request = ask_claude(agent, tape, "mcp__demo__wipe", {"x": 1}, mcp_server=server)
    assert request is not None
    assert request["server"] == "demo (project)"
    assert request["title"] == 'mcp__demo__wipe: {"x": 1}'
    of_old_version = ask_claude(agent, tape, "mcp__other__wipe", {"x": 1}, "r2")
    assert of_old_version is not None
    assert of_old_version["server"] == "other"


class TestNotices:
    def test_what_claude_code_has_denied_is_a_line_with_its_reason(self) -> None:
        agent, tape = claude()
        line = {"type": "system", "subtype": "permission_denied", "tool_name": "Bash"}
        agent.feed({**line, "decision_reason_type": "classifier", "decision_reason": "[Exfiltration] out"})
        notice = tape.of("notice")[-1]
        assert notice["code"] == "denied"
        assert notice["text"] == "Claude Code denied Bash (classifier): [Exfiltration] out"

    def test_what_was_denied_to_a_sub_agent_is_below_its_call(self) -> None:
        agent, tape = claude()
        call = {"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "curl x"}}
        agent.feed(
            {"type": "assistant", "message": {"id": "m", "content": [call]}, "parent_tool_use_id": "t1"}
        )
        agent.feed(
            {"type": "system", "subtype": "permission_denied", "tool_name": "Bash", "tool_use_id": "t2"}
        )
        assert tape.of("notice")[-1]["parent"] == "t1"

    def test_messages_of_other_sessions_are_refused_and_what_happens_to_them_is_shown(self) -> None:
        agent, tape = claude()
        argument = next(word for word in agent.command_line("claude") if word.startswith("--settings="))
        assert json.loads(argument.partition("=")[2])["crossSessionInbound"] == "refuse"
        held = {"type": "system", "subtype": "peer_message_hold", "state": "dropped", "outcome": "refused"}
        agent.feed({**held, "from": "uds:x", "from_name": "Task A"})
        assert "(Task A) was dropped" in tape.of("notice")[-1]["text"]
        origin = {"kind": "peer", "name": "Task B", "body": "hello"}
        agent.feed({"type": "user", "isReplay": True, "uuid": "u", "message": {}, "origin": origin})
        assert "(Task B) sent a message: hello" in tape.of("notice")[-1]["text"]

    def test_a_message_that_another_session_has_refused_is_a_line(self) -> None:
        agent, tape = claude()
        text = "Cross-session message refused (recipient: @Other). It was not delivered."
        agent.feed({"type": "system", "subtype": "informational", "content": text, "level": "warning"})
        assert tape.of("notice")[-1] == {"kind": "notice", "text": text, "code": "peer_message"}

    def test_a_review_of_codex_is_one_line(self) -> None:
        agent, tape = codex()
        review = {"status": "denied", "riskLevel": "high", "rationale": "because"}
        action = {"type": "command", "command": "/bin/bash -lc 'touch x'"}
        warning = "Automatic approval review denied (risk: high): because"
        agent.feed({"method": "guardianWarning", "params": {"message": warning}})
        params = {"threadId": "thread-1", "review": review, "action": action}
        agent.feed({"method": "item/autoApprovalReview/completed", "params": params})
        (notice,) = tape.of("notice")
        assert notice["text"] == "Codex's automatic review denied `touch x` (risk: high): because"
        assert notice["code"] == "denied"
        agent.feed({"method": "guardianWarning", "params": {"message": "Something else"}})
        assert tape.of("notice")[-1]["text"] == "Something else"


class TestQuestionsOfCodex:
    def test_a_question_says_what_answers_it_takes(self) -> None:
        agent, tape = codex()
        question = {"id": "q", "question": "Pin?", "header": "Pin", "isOther": False, "isSecret": True}
        options = [{"label": "A", "description": "a"}]
        params = {**OF_THREAD, "itemId": "i", "questions": [{**question, "options": options}]}
        params.update(isBlocking=False, autoResolutionMs=60_000)
        request = server_request(agent, tape, "item/tool/requestUserInput", params)
        (shown,) = request["questions"]
        assert (shown["other"], shown["secret"]) == (False, True)
        assert request["expires_at"]

    def test_an_asynchronous_question_is_a_text_with_options(self) -> None:
        agent, tape = codex()
        questions = [{"title": "Which one?", "options": ["A", {"label": "B"}]}]
        item = {"type": "agentMessage", "id": "m", "text": "Half way", "delivery": "async"}
        line = {"threadId": "thread-1", "item": {**item, "questions": questions}}
        agent.feed({"method": "item/completed", "params": line})
        (text,) = tape.of("text")
        assert text["questions"][0]["question"] == "Which one?"
        assert [option["label"] for option in text["questions"][0]["options"]] == ["A", "B"]
        assert not agent.requests
