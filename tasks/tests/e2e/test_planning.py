"""A document becomes tasks, by one paste and by a plan run of both real CLIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.tests.e2e.world import World, assert_no_gap, tokens_of
from tasks.tests.planning.document import AFTER, DOCUMENT, TITLES, proposal

pytestmark = [pytest.mark.cli, pytest.mark.server]
WRITES = "@bash touch written.txt"
"In a plan run, Claude Code has no such tool, and Codex runs it in a sandbox that only reads."


def answer(backend: str, value: Any) -> str:
    """The last step of the scripted model: what it answers in a plan run."""
    data = json.dumps(value)
    return f"@tool StructuredOutput {data}" if backend == "claude_code" else f"@text {data}"


def start_plan(world: World, backend: str, script: str) -> dict[str, Any]:
    path = f"/api/workspaces/{world.workspace}/plan"
    run = world.api.post(path, {"text": f"{DOCUMENT}\n{script}", "backend": backend})
    ended: dict[str, Any] = world.api.wait_for_run(run["id"], timeout=120)
    return ended


def created(world: World, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Create the tasks of a plan; `after` comes back as indexes."""
    body = [{name: each[name] for name in ("title", "prompt", "after")} for each in items]
    tasks = world.api.post(f"/api/workspaces/{world.workspace}/tasks", body)
    places = {task["id"]: place for place, task in enumerate(tasks)}
    return [{**task, "after": [places[number] for number in task["after"]]} for task in tasks]


def assert_is_the_document(tasks: list[dict[str, Any]]) -> None:
    assert [task["title"] for task in tasks] == TITLES
    assert [task["after"] for task in tasks] == AFTER
    assert {task["status"] for task in tasks} == {"backlog"}


def test_a_document_becomes_twelve_tasks_by_one_paste(world: World) -> None:
    points = world.api.post(f"/api/workspaces/{world.workspace}/split", {"text": DOCUMENT})
    assert_is_the_document(created(world, points))


@pytest.mark.long("two runs of a CLI, one after the other")
def test_a_document_becomes_twelve_tasks_by_a_plan_run(world: World, backend: str) -> None:
    reads = "@read README.md" if backend == "claude_code" else WRITES
    run = start_plan(world, backend, f"{reads}\n{answer(backend, proposal())}")
    assert (run["state"], run["kind"], run["reason"]) == ("succeeded", "plan", "")
    assert_is_the_document(created(world, run["proposals"]))
    assert run["proposals"][0]["touches"] == ["tasks/models/attachment.py"]
    assert not (world.worktree(run) / "written.txt").exists()
    assert (run["commit"], run["open_requests"]) == ("", [])
    events = world.events(run)
    assert_no_gap(events)
    assert [len(event["items"]) for event in events if event["kind"] == "proposals"] == [12]
    assert tokens_of(run) == world.billed(run)

    said = {"text": f"Fewer.\n{answer(backend, proposal(3))}", "when": "now"}
    talked = world.api.post(f"/api/runs/{run['id']}/message", said)["run"]
    again = world.api.wait_for_run(talked, timeout=120)
    assert (again["state"], again["kind"], len(again["proposals"])) == ("succeeded", "plan", 3)
    assert again["cli_session"] == run["cli_session"]


def test_a_wrong_answer_is_one_failed_run_with_what_to_do(world: World, backend: str) -> None:
    run = start_plan(world, backend, "@text I have read it all.\n@text It looks fine.")
    assert (run["state"], run["reason_code"], run["proposals"]) == ("failed", "proposals", [])
    assert run["reason"] == (
        "The agent answered in words, not with a list of tasks. "
        "Send a message to ask again, or split the text yourself."
    )
