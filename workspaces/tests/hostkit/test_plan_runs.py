"""Plan first with the real CLIs: nothing is written unasked until the user has approved a plan."""

from __future__ import annotations

import pytest

from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for

from .client import Bench, Json, Run
from .test_cli_runs import BACKENDS, assert_tokens_equal_the_ledger

pytestmark = pytest.mark.cli
PLAN = {
    "claude_code": "@plan # Steps\\n1. Write a.txt",
    "codex": "@text <proposed_plan>\\n# Steps\\n1. Write a.txt\\n</proposed_plan>",
}
"""How the scripted model proposes a plan."""
WRITES = (
    "@bash touch touched.txt",
    "@write written.txt x",
    "@bash python3 -c \"open('python.txt', 'w').write('x')\"",
    "@bash git commit --allow-empty -m sneaked",
    "@bash git branch sneaked",
)


def start(bench: Bench, backend: str, *steps: str, **changes: object) -> Run:
    script = "\n".join((*steps, PLAN[backend], "@text after"))
    return bench.start(backend, script, permission_mode="plan", **changes)


def deny_until_the_plan(run: Run) -> tuple[list[str], Json]:
    """Deny everything that is asked before the plan: the titles, and the request about the plan."""
    denied: dict[str, str] = {}

    def plan() -> Json | None:
        for request in run.events("request"):
            if request["request_kind"] == "plan":
                return request
            if request["id"] not in denied:
                denied[request["id"]] = request["title"]
                run.control("deny", request=request["id"], text="not now")
        return None

    found = wait_for(plan, 60, f"the plan, after {run.kinds()}")
    assert found is not None
    return list(denied.values()), found


def state_of(run: Run) -> tuple[str, str, str]:
    status = git(run.worktree, "status", "--porcelain", "--ignored")
    return status, git(run.worktree, "rev-parse", "HEAD"), git(run.worktree, "branch", "-a")


@BACKENDS
@pytest.mark.parametrize("hides", [False, True])
def test_nothing_is_written_before_a_plan_is_approved(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str, hides: bool
) -> None:
    """Claude Code asks before each of these; Codex's sandbox lets none of them through."""
    spec = bench.spec(backend, permission_mode="plan", **({"unreadable": ["/var/empty"]} if hides else {}))
    run = bench.prepare(spec, "\n".join((*WRITES, PLAN[backend])))
    before = state_of(run)
    run.open()
    asked, request = deny_until_the_plan(run)
    assert state_of(run) == before
    assert len(asked) == (len(WRITES) if backend == "claude_code" else 1)
    turns = endpoint.ledger.turns(run.wait_event("started")["cli_session"])
    assert {turn.step for turn in turns} == set(range(len(WRITES) + 1))  # all of the script was tried
    assert request["plan"].strip() == "# Steps\n1. Write a.txt"
    assert (request["title"], request["can_edit"]) == ("Plan: Steps", True)
    assert run.events("state")[-1]["state"] == "waiting"
    assert not (run.folder / "outcome.json").exists()
    assert run.control("stop")["ok"]
    assert run.outcome()["state"] == "cancelled"
    assert state_of(run) == before


@BACKENDS
def test_a_plan_is_edited_and_approved_into_a_mode(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    run = start(bench, backend)
    _, request = deny_until_the_plan(run)
    mine = "# My steps\n@write mine.txt x\n@text done"
    approve = {"request": request["id"], "digest": request["digest"], "mode": "edits"}
    assert "plan" in run.control("approve", **{**approve, "mode": "plan"})["error"]
    assert not run.control("approve", **approve, input={"plan": "  "})["ok"]
    assert not run.control("approve", **approve, input={"plan": mine, "more": 1})["ok"]
    assert run.control("approve", **approve, input={**request["input"], "plan": mine}) == {"ok": True}
    outcome = run.outcome()
    assert outcome["state"] == "succeeded", outcome
    closed = run.wait_event("request_closed")
    assert (closed["decision"], closed["request_kind"], closed["permission_mode"], closed["edited_plan"]) == (
        *("allow", "plan", "edits"),
        mine,
    )
    assert run.wait_event("settings")["permission_mode"] == "edits"
    assert "My steps" in (run.folder / "raw.jsonl").read_text()
    if backend == "codex":  # it begins a new turn with the user's words; Claude Code goes on in the same one
        assert git(run.worktree, "show", "HEAD:mine.txt") == "x"
    else:
        assert "edited by user" in run.wait_event("tool_result")["output"]
    assert_tokens_equal_the_ledger(run, endpoint)


@BACKENDS
def test_a_plan_is_sent_back_and_revised_at_the_keyboard(bench: Bench, backend: str) -> None:
    run = start(bench, backend)
    deny_until_the_plan(run)
    wait_for(lambda: "/y ask, /y edits or /y full" in run.screen())
    run.type(f"/n shorter\\n{PLAN[backend]}" if backend == "claude_code" else "/n shorter")
    closed = run.wait_event("request_closed")
    assert (closed["decision"], closed["by"], closed["request_kind"]) == ("deny", "keyboard", "plan")
    assert "shorter" in closed["text"]
    outcome = run.outcome()
    assert outcome["state"] == "succeeded"
    assert not run.events("settings")  # it stays in plan mode, and may end without another plan
    if backend == "codex":
        assert [event["text"] for event in run.events("message")][1:] == ["shorter"]


@BACKENDS
def test_the_keyboard_can_choose_no_wider_mode_than_the_workspace_allows(bench: Bench, backend: str) -> None:
    limits = {"max_permission_mode": "edits", "mode_after_plan": "ask"}
    run = start(bench, backend, **limits)
    deny_until_the_plan(run)
    for line in ("/mode full", "/y full"):
        run.type(line)
    wait_for(lambda: run.screen().count("the workspace allows at most the mode 'edits'") == 2)
    run.type("/y")
    assert run.wait_event("request_closed")["permission_mode"] == "ask"
    assert run.wait_event("settings")["permission_mode"] == "ask"
    assert run.outcome()["state"] == "succeeded"


@BACKENDS
def test_a_run_that_only_answers_ends_as_usual_and_is_continued_in_another_mode(
    bench: Bench, backend: str
) -> None:
    first = bench.start(backend, "@text It is a calculator.", permission_mode="plan")
    before = first.outcome()
    assert (before["state"], first.events("request")) == ("succeeded", [])
    again = {"resume": before["cli_session"], "thread_total": before["thread_total"]}
    same = {name: first.spec[name] for name in ("worktree", "branch", "git_dir")}
    second = bench.start(
        backend, "@bash echo x > made.txt\n@text ok", permission_mode="edits", **again, **same
    )
    assert second.outcome()["state"] == "succeeded"
    assert git(second.worktree, "show", "HEAD:made.txt") == "x"
    assert not second.events("request")
