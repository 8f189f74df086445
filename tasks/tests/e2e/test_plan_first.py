"""Plan first, from the task to its follow-up, with both real CLIs."""

from __future__ import annotations

from typing import Any

import pytest

from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import BACKENDS, World

pytestmark = [pytest.mark.cli, pytest.mark.server]
PLAN = {
    "claude_code": "@plan # Steps\\n1. Touch a.txt\n@bash touch a.txt\n@text ok",
    "codex": "@text <proposed_plan>\\n# Steps\\n1. Touch a.txt\\n</proposed_plan>",
}
MINE = "# My steps\n@bash touch a.txt\n@text ok\n"


def plan_of(world: World, run: dict[str, Any]) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        requests = world.api.run(run["id"])["open_requests"]
        return next((request for request in requests if request["kind"] == "plan"), None)

    found = wait_for(find, 60, "the plan")
    assert found is not None
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_plan_is_edited_approved_and_carried_out_and_a_follow_up_keeps_its_mode(
    world: World, backend: str
) -> None:
    workspace = world.add_workspace(f"plans {backend}", permission_mode="edits")["id"]
    run = world.start(PLAN[backend], backend, workspace=workspace, permission_mode="plan")
    assert (run["permission_mode"], world.task_of(run)["permission_mode"]) == ("plan", "plan")
    plan = plan_of(world, run)
    assert (plan["title"], plan["can_edit"]) == ("Plan: Steps", True)
    assert world.api.run(run["id"])["state"] == "waiting"
    assert not (world.worktree(run) / "a.txt").exists()
    answer = {"decision": "allow", "permission_mode": "edits", "digest": plan["digest"]}
    world.api.post(f"/api/runs/{run['id']}/requests/{plan['id']}", {**answer, "input": {"plan": MINE}})
    over = world.api.wait_for_run(run["id"])
    assert (over["state"], over["permission_mode"]) == ("succeeded", "edits"), over["reason"]
    assert (world.worktree(run) / "a.txt").exists()
    [closed] = world.events(run, "request_closed")
    assert (closed["edited_plan"], closed["permission_mode"]) == (MINE, "edits")

    more = {"prompt": "@text more", "resume": True}
    follow_up = world.api.post(f"/api/tasks/{run['task']}/run", more)
    assert follow_up["permission_mode"] == "edits"
    assert world.api.wait_for_run(follow_up["id"])["state"] == "succeeded"
    assert world.task_of(run)["permission_mode"] == "plan"
    again = world.api.post(f"/api/tasks/{run['task']}/run", {"prompt": "@text It is done."})
    assert again["permission_mode"] == "plan"
    assert world.api.wait_for_run(again["id"])["state"] == "succeeded"
