"""The agent's list, background work, sub-agents, messages and compactions with the real CLIs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aitask.tests.lab.wait import wait_for

from .client import Bench, Run

pytestmark = pytest.mark.cli
oldest = pytest.mark.oldest_cli
BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])
TODOS = [
    {"content": "Fix it", "status": "completed", "activeForm": "Fixing it"},
    {"content": "Write the tests", "status": "in_progress", "activeForm": "Writing the tests"},
]
LISTS = {
    "claude_code": f"@tool TodoWrite {json.dumps({'todos': TODOS})}",
    "codex": "@plan Write the tests",
}
SERVER = {
    "claude_code": '@tool Bash {"command": "sleep 4741", "description": "srv", "run_in_background": true}',
    "codex": '@tool exec_command {"cmd": "sleep 4741", "yield_time_ms": 300}',
}


@oldest
@BACKENDS
def test_the_agents_own_list_is_reported_by_default(bench: Bench, backend: str) -> None:
    run = bench.start(backend, f"{LISTS[backend]}\n@text ok")
    items = run.wait_event("progress")["items"]
    assert items[-1]["text"] == "Write the tests"
    assert run.outcome()["state"] == "succeeded"
    assert not run.events("raw")


@BACKENDS
def test_what_runs_in_the_background_is_reported_and_can_be_stopped(
    bench: Bench, backend: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    waits = f"@bash until [ -e {gate} ]; do sleep 0.1; done"
    run = bench.start(backend, f"{SERVER[backend]}\n{waits}\n@text ok")
    begun = run.wait_event("background", state="running")
    assert begun["work"] == "command"
    assert run.control("stop_background", work="no-such")["ok"] is False
    assert run.control("stop_background", work=begun["id"]) == {"ok": True}
    run.wait_event("background", id=begun["id"], state="stopped")
    gate.touch()
    assert run.outcome()["state"] == "succeeded"


def test_a_server_in_the_background_does_not_hold_the_run(bench: Bench) -> None:
    run = bench.start("claude_code", f"{SERVER['claude_code']}\n@text It runs.")
    assert run.outcome(30)["state"] == "succeeded"
    assert "which ended 1 background command: srv" in run.wait_event("notice")["text"]
    assert run.events("background")[-1]["state"] == "stopped"


@oldest
@BACKENDS
def test_compacting_waits_for_the_turn_and_is_followed_by_the_next(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash sleep 3\n@text first")
    run.wait_event("tool")
    assert run.control("compact") == {"ok": True}
    assert run.control("message", text="@text second", when="after_turn")["ok"]
    done = run.wait_event("compaction", phase="finished")
    assert done["trigger"] == "manual"
    assert done["before"] > 0
    assert run.outcome()["state"] == "succeeded"
    kinds = [event["kind"] for event in run.events() if event["kind"] in ("text", "compaction")]
    assert kinds == ["text", "compaction", "compaction", "text"]
    assert not run.events("message_returned")


@BACKENDS
def test_a_queued_message_survives_an_interrupt_and_is_taken_once(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash env sleep 4742\n@text ok")
    run.wait_event("tool")
    assert run.control("message", id="m1", text="@text second", when="after_turn")["ok"]
    run.control("interrupt")
    run.wait_event("text", text="second")
    assert run.outcome()["state"] == "succeeded"
    assert [event["id"] for event in run.events("message")] == ["prompt", "m1"]
    assert not run.events("message_returned")


@oldest
@BACKENDS
def test_stopping_a_run_starts_no_queued_message(bench: Bench, backend: str) -> None:
    run = bench.start(backend, "@bash env sleep 4743\n@text ok")
    run.wait_event("tool")
    assert run.control("message", id="m1", text="@bash touch second", when="after_turn")["ok"]
    run.control("stop")
    assert run.outcome()["state"] == "cancelled"
    assert [event["id"] for event in run.events("message")] == ["prompt"]
    assert not (run.worktree / "second").exists()


def child_of(run: Run) -> tuple[str, list[str]]:
    """Return the id of the call that started the sub-agent, and the texts below it."""
    ended = run.wait_event("background", work="agent", state="completed")
    assert ended["tool"] in [event["id"] for event in run.events("tool")]
    assert ended["tokens"] > 0
    below = [event["text"] for event in run.events("text") if event.get("parent") == ended["tool"]]
    return ended["tool"], below


@oldest
@pytest.mark.parametrize("in_background", [True, False])
def test_a_sub_agent_of_claude_is_nested_with_its_tokens(bench: Bench, in_background: bool) -> None:
    child = {"description": "child", "prompt": "@bash sleep 1\n@text child done"}
    call = {**child, "subagent_type": "general-purpose", "run_in_background": in_background}
    run = bench.start("claude_code", f"@tool Agent {json.dumps(call)}\n@text ok")
    assert run.outcome()["state"] == "succeeded"
    call_id, _ = child_of(run)
    nested = [event["title"] for event in run.events("tool") if event.get("parent") == call_id]
    assert nested == ["sleep 1"]
    assert run.events("background")[-1].get("waited", False) is not in_background


def test_a_sub_agent_of_codex_is_nested_with_its_tokens(bench: Bench) -> None:
    call = {"task_name": "helper", "message": "Look."}
    script = f"@tool collaboration.spawn_agent {json.dumps(call)}\n@text parent"
    run = bench.start("codex", script, model="gpt-6-sol")
    wait_for(lambda: run.events("background"), 30)
    assert run.outcome()["state"] == "succeeded"
    assert child_of(run)[1]
