"""What a user allows is what the CLI gets: this call, or one permission that was picked in full words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspaces.hostkit.base.agent import RequestDecision
from workspaces.hostkit.base.consent import digest_of
from workspaces.hostkit.run.commands import Commands

from .replay import Json, Tape, claude, codex

CALM = settings(deadline=None, max_examples=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
INPUTS = st.dictionaries(st.text(), VALUES, max_size=5)
SUGGESTED: list[Json] = [
    {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    {"type": "addDirectories", "directories": ["/home/ada", "/srv"], "destination": "session"},
    {
        "type": "addRules",
        "rules": [{"toolName": "Bash", "ruleContent": "npm run *"}, {"toolName": "mcp__shop__buy"}],
        "behavior": "allow",
        "destination": "localSettings",
    },
]
CHANGED = {
    "timeout": 5,
    "run_in_background": True,
    "dangerouslyDisableSandbox": True,
    "command": "npm run x ",
}


def ask_claude(agent: Any, tape: Tape, tool: str, given: Json, key: str = "r1", **fields: Any) -> Json | None:
    """Let Claude Code ask; the request that a user sees, or None if it was answered by a rule."""
    known = len(tape.of("request"))
    asked = {"subtype": "can_use_tool", "tool_name": tool, "input": given, **fields}
    agent.feed({"type": "control_request", "request_id": key, "request": asked})
    new = tape.of("request")[known:]
    return new[0] if new else None


def ask_codex(
    agent: Any, tape: Tape, key: int = 0, method: str = "commandExecution", **params: Any
) -> Json | None:
    known = len(tape.of("request"))
    params = {"threadId": "thread-1", "turnId": "turn-1", "itemId": f"i{key}", **params}
    agent.feed({"id": key, "method": f"item/{method}/requestApproval", "params": params})
    new = tape.of("request")[known:]
    return new[0] if new else None


def sent_to_claude(tape: Tape) -> Json:
    answer: Json = tape.sent[-1]["response"]["response"]
    return answer


@CALM
@given(tool=st.text(min_size=1), given=INPUTS)
def test_allowing_sends_the_input_that_was_shown_and_nothing_else(tool: str, given: Json) -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, tool, given, permission_suggestions=SUGGESTED)
    if shown is None or shown["request_kind"] != "approval":
        return
    assert shown["input"] == given
    for scope in ("once", "run"):
        ask_claude(agent, tape, tool, given, f"again-{scope}", permission_suggestions=SUGGESTED)
        agent.decide(f"again-{scope}", RequestDecision(True, scope=scope), "web")
        assert sent_to_claude(tape) == {"behavior": "allow", "updatedInput": given}


@CALM
@given(given=INPUTS)
def test_the_digest_survives_the_way_to_the_page(given: Json) -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, "mcp__x__y", given, permission_suggestions=SUGGESTED)
    assert shown is not None
    stored = json.loads(json.dumps({**shown, "kind": "approval", "at": "now"}))
    assert digest_of(stored) == shown["digest"]


@CALM
@given(given=INPUTS, other=INPUTS)
def test_two_requests_that_show_different_things_have_different_digests(given: Json, other: Json) -> None:
    shown = [{"tool": "x", "input": each} for each in (given, other)]
    same = json.dumps(given, sort_keys=True) == json.dumps(other, sort_keys=True)
    if not same and given != other:
        assert digest_of(shown[0]) != digest_of(shown[1])


def test_the_same_call_is_not_asked_again_and_the_log_says_so() -> None:
    agent, tape = claude()
    ask_claude(agent, tape, "Bash", {"command": "npm run build", "description": "Build"})
    agent.decide("r1", RequestDecision(True, scope="run"), "web")
    again = {"command": "npm run build", "description": "Build it once more"}
    assert ask_claude(agent, tape, "Bash", again, "r2") is None
    assert sent_to_claude(tape) == {"behavior": "allow", "updatedInput": again}
    assert tape.of("notice")[-1]["text"] == "Allowed by your rule for this run: Bash: npm run build"
    assert agent.settled is False


@pytest.mark.parametrize("change", [{name: value} for name, value in CHANGED.items()], ids=str)
def test_a_call_that_differs_in_anything_is_asked_about_again(change: Json) -> None:
    agent, tape = claude()
    ask_claude(agent, tape, "Bash", {"command": "npm run x"}, permission_suggestions=SUGGESTED)
    agent.decide("r1", RequestDecision(True, scope="run"), "web")
    assert ask_claude(agent, tape, "Bash", {"command": "npm run x", **change}, "r2") is not None
    assert ask_claude(agent, tape, "mcp__x__Bash", {"command": "npm run x"}, "r3") is not None


def test_once_is_once() -> None:
    agent, tape = claude()
    ask_claude(agent, tape, "Bash", {"command": "make"})
    agent.decide("r1", RequestDecision(True, scope="once"), "web")
    assert ask_claude(agent, tape, "Bash", {"command": "make"}, "r2") is not None


def test_a_changed_input_is_no_rule_for_the_run() -> None:
    agent, tape = claude()
    ask_claude(agent, tape, "Bash", {"command": "make"})
    agent.decide("r1", RequestDecision(True, scope="run", input={"command": "make -n"}), "web")
    assert ask_claude(agent, tape, "Bash", {"command": "make"}, "r2") is not None
    assert ask_claude(agent, tape, "Bash", {"command": "make -n"}, "r3") is not None


def test_what_the_cli_suggests_is_offered_one_by_one_in_full_words() -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, "Bash", {"command": "npm run x"}, permission_suggestions=SUGGESTED)
    assert shown is not None
    texts = [grant["text"] for grant in shown["grants"]]
    assert len(texts) == 5
    assert texts[0].startswith("Switch this run to “Edit files, ask for commands”")
    assert "`/home/ada`" in texts[1]
    assert "`/srv`" in texts[2]
    assert "every command that begins with `npm run`" in texts[3]
    assert "every call of mcp__shop__buy, with any input," in texts[4]


@pytest.mark.parametrize("place", range(1, 5))
def test_what_was_picked_is_sent_alone_and_for_the_session_only(place: int) -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, "Bash", {"command": "npm run x"}, permission_suggestions=SUGGESTED)
    assert shown is not None
    grant = shown["grants"][place]
    assert told(agent, grant=grant["id"]) == {"ok": True}
    (update,) = sent_to_claude(tape)["updatedPermissions"]
    assert update["destination"] == "session"
    assert len(update.get("rules") or update.get("directories")) == 1
    closed = tape.of("request_closed")[-1]
    assert (closed["decision"], closed["text"]) == ("allow_for_run", grant["text"])


def test_a_mode_that_was_picked_is_the_mode_of_the_run() -> None:
    agent, tape = claude()
    shown = ask_claude(
        agent, tape, "Write", {"file_path": "/a", "content": "x"}, permission_suggestions=SUGGESTED
    )
    assert shown is not None
    assert told(agent, grant=shown["grants"][0]["id"], scope="run") == {"ok": True}
    update = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    assert (sent_to_claude(tape)["updatedPermissions"], agent.mode) == ([update], "edits")
    assert agent.allowed_calls == set()


@pytest.mark.parametrize(
    "suggestion",
    [
        {"type": "setMode", "mode": "bypassPermissions", "destination": "session"},
        {"type": "setMode", "mode": "plan", "destination": "session"},
        {"type": "removeRules", "rules": [{"toolName": "Bash"}], "behavior": "deny"},
        {"type": "addRules", "rules": [{"toolName": "Bash"}], "behavior": "deny"},
        {"type": "replaceRules", "rules": [{"toolName": "Bash"}], "behavior": "allow"},
        {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "make"}], "behavior": "allow"},
        {"type": "something"},
        {},
        "text",
    ],
    ids=str,
)
def test_what_has_no_words_is_not_offered(suggestion: Any) -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, "Bash", {"command": "make"}, permission_suggestions=[suggestion])
    assert shown is not None
    assert shown["grants"] == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"toolName": "Read", "ruleContent": "//etc/**"}, "reading every file in `/etc` and below"),
        ({"toolName": "Read", "ruleContent": "~/notes.txt"}, "reading the file `~/notes.txt`"),
        ({"toolName": "Edit", "ruleContent": "/docs/*"}, "changing every file in `/docs`"),
        ({"toolName": "Edit", "ruleContent": "//srv/*.py"}, "changing every file of the form `/srv/*.py`"),
        ({"toolName": "Bash", "ruleContent": "git:*"}, "every command that begins with `git`"),
        ({"toolName": "Bash", "ruleContent": "git * main"}, "every command of the form `git * main`"),
        (
            {"toolName": "Bash", "ruleContent": "git status"},
            "the command `git status`, also as a part of a longer",
        ),
        ({"toolName": "Bash"}, "every call of Bash, with any input"),
        (
            {"toolName": "WebFetch", "ruleContent": "domain:x.org"},
            "every call of WebFetch for the domain `x.org`",
        ),
        ({"toolName": "Skill", "ruleContent": "x:*"}, "every call of Skill that its rule `x:*` matches"),
    ],
)
def test_rules_have_words_for_all_that_they_cover(rule: Json, words: str) -> None:
    agent, tape = claude()
    rules = {"type": "addRules", "rules": [rule], "behavior": "allow", "destination": "userSettings"}
    shown = ask_claude(agent, tape, "Bash", {"command": "x"}, permission_suggestions=[rules])
    assert shown is not None
    assert words in shown["grants"][0]["text"]


def told(agent: Any, **command: Any) -> Any:
    """What a command about the request `r1` is answered."""
    heard: list[Any] = []
    runner = SimpleNamespace(agent=agent, emit=agent.host.emit)
    Commands(runner).handle({"command": "approve", "request": "r1", **command}, "web", heard.append)  # type: ignore[arg-type]
    return heard[0]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ({"digest": "0" * 64}, "not the request that was shown"),
        ({"digest": ""}, "not the request that was shown"),
        ({"grant": "no-such"}, "was not offered"),
        ({"grant": ""}, "was not offered"),
        ({"scope": "run", "input": {"command": "make -n"}}, "allowed once, not for the run"),
    ],
)
def test_an_answer_to_something_else_leaves_the_request_open(command: Json, why: str) -> None:
    agent, tape = claude()
    ask_claude(agent, tape, "Bash", {"command": "make"}, permission_suggestions=SUGGESTED)
    sent = len(tape.sent)
    assert why in told(agent, **command)["error"]
    assert (list(agent.requests), len(tape.sent)) == (["r1"], sent)


def test_an_answer_to_what_was_shown_counts() -> None:
    agent, tape = claude()
    shown = ask_claude(agent, tape, "Bash", {"command": "make"})
    assert shown is not None
    assert told(agent, digest=shown["digest"]) == {"ok": True}


def test_what_is_nested_too_deeply_to_be_compared_is_never_allowed() -> None:
    agent, tape = claude()
    deep: Any = "x"
    for _ in range(2_000):
        deep = [deep]
    ask_claude(agent, tape, "Bash", {"command": "ls", "more": deep})
    assert "deny it" in told(agent, scope="run")["error"]
    agent.decide("r1", RequestDecision(True, scope="run"), "web")
    assert ask_claude(agent, tape, "Bash", {"command": "rm", "more": deep}, "r2") is not None


class TestCodex:
    COMMAND = "/bin/bash -lc 'npm run x'"

    def test_the_same_command_in_the_same_folder_is_not_asked_again(self) -> None:
        agent, tape = codex()
        ask_codex(agent, tape, command=self.COMMAND, cwd="/w", reason="May I?")
        agent.decide("0", RequestDecision(True, scope="run"), "web")
        assert tape.sent[-1] == {"id": 0, "result": {"decision": "accept"}}
        assert ask_codex(agent, tape, 1, command=self.COMMAND, cwd="/w", reason="Again?") is None
        assert tape.sent[-1] == {"id": 1, "result": {"decision": "accept"}}
        assert "Allowed by your rule for this run: command: npm run x" in tape.of("notice")[-1]["text"]

    @pytest.mark.parametrize(
        "change",
        [
            {"command": "/bin/bash -lc 'npm run xy'"},
            {"command": "/bin/zsh -lc 'npm run x'"},
            {"command": "npm run x"},
            {"cwd": "/w/sub"},
            {"additionalPermissions": {"network": {"enabled": True}}},
            {"networkApprovalContext": {"host": "example.org", "protocol": "https"}},
        ],
        ids=str,
    )
    def test_another_is(self, change: Json) -> None:
        agent, tape = codex()
        asked: Json = {"command": self.COMMAND, "cwd": "/w"}
        ask_codex(agent, tape, **asked)
        agent.decide("0", RequestDecision(True, scope="run"), "web")
        shown = ask_codex(agent, tape, 1, **{**asked, **change})
        assert shown is not None
        for name, value in change.items():
            assert name in ("command", "cwd") or shown["input"][name] == value

    @pytest.mark.parametrize("shell", ["./deploy.sh", "evil/bin/sh", "fish", "/tmp/bin/bash"])
    def test_only_a_shell_of_the_system_is_left_out_of_a_command(self, shell: str) -> None:
        agent, tape = codex()
        shown = ask_codex(agent, tape, command=f"{shell} -c ls", cwd="/w")
        assert shown is not None
        assert shown["input"] == {"command": f"{shell} -c ls"}

    def test_the_shell_is_shown_beside_the_command(self) -> None:
        agent, tape = codex()
        shown = ask_codex(agent, tape, command=self.COMMAND, cwd="/w", grantRoot="/")
        assert shown is not None
        assert shown["input"] == {"command": "npm run x", "shell": "/bin/bash -lc", "grantRoot": "/"}

    def test_a_change_of_files_allows_no_later_one_of_the_same_files(self) -> None:
        agent, tape = codex()
        for key, text in enumerate(("one", "one", "two")):
            change = {"path": "/w/a", "kind": {"type": "add"}, "diff": text}
            item = {"id": f"i{key}", "type": "fileChange", "changes": [change]}
            agent.feed({"method": "item/started", "params": {"threadId": "thread-1", "item": item}})
        assert ask_codex(agent, tape, 0, "fileChange") is not None
        agent.decide("0", RequestDecision(True, scope="run"), "web")
        assert ask_codex(agent, tape, 1, "fileChange") is None
        assert ask_codex(agent, tape, 2, "fileChange") is not None

    def test_changes_that_were_not_told_can_not_be_allowed(self) -> None:
        agent, tape = codex()
        shown = ask_codex(agent, tape, 7, "fileChange")
        assert shown is not None
        assert shown["request_kind"] == "unknown"
        assert shown["input"]["itemId"] == "i7"
        agent.decide("7", RequestDecision(False, text="Which file?"), "web")
        assert tape.sent[-1]["error"]["message"] == "Which file?"

    def test_permissions_end_with_the_turn(self) -> None:
        agent, tape = codex()
        wanted = {"network": {"enabled": True}}
        shown = ask_codex(agent, tape, 0, "permissions", permissions=wanted)
        assert shown is not None
        assert "until the end of this turn" in shown["words"]["once"]
        agent.decide("0", RequestDecision(True, scope="run"), "web")
        assert tape.sent[-1]["result"] == {"permissions": wanted, "scope": "turn"}

    def test_nothing_lasting_is_ever_sent(self) -> None:
        agent, tape = codex()
        amendment = ["npm"]
        asked: Json = {"proposedExecpolicyAmendment": amendment, "availableDecisions": ["accept"]}
        shown = ask_codex(agent, tape, command=self.COMMAND, cwd="/w", **asked)
        assert shown is not None
        assert not shown.get("grants")
        for scope in ("once", "run"):
            agent.decide("0", RequestDecision(True, scope=scope), "web")
            ask_codex(agent, tape, command=f"{self.COMMAND} {scope}", cwd="/w", **asked)
        assert "acceptForSession" not in str(tape.sent)
        assert "mendment" not in str(tape.sent)
