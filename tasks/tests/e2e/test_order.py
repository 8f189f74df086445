"""A stacked pair from the queue to main, with a real CLI: the second starts by itself, on the first one."""

from __future__ import annotations

import uuid

import pytest

from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_stacked_pair_is_started_and_merged_in_its_order(world: World, backend: str) -> None:
    repo_before = world.git("rev-parse", "main")
    lower, upper = (f"{name}-{uuid.uuid4().hex[:6]}.txt" for name in ("lower", "upper"))  # main is shared
    first = world.api.add_task(world.workspace, f"@write {lower} one\n@text Done.", backend)
    prompt = f"@write {upper} two\n@text Done."
    second = world.api.add_task(world.workspace, prompt, backend, after=[first["id"]], after_until="finished")
    waiting = world.api.run_task(second["id"])
    reason = wait_for(lambda: world.api.get(f"/api/runs/{waiting['id']}")["reason"], timeout=60)
    assert reason == f"Waits for #{first['id']} “{first['title']}” to finish."
    run = world.api.wait_for_run(world.api.run_task(first["id"])["id"], timeout=90)
    assert run["state"] == "succeeded", run["reason"]

    later = world.api.wait_for_run(waiting["id"], timeout=90)
    assert later["state"] == "succeeded", later["reason"]
    assert (world.worktree(later) / lower).exists()
    assert git(world.worktree(later), "rev-parse", "HEAD^") == run["commit"]
    assert world.task_of(later)["files_changed"] == 1

    body = {"tasks": [second["id"], first["id"]], "strategy": "squash", "check": False}
    train = world.api.post(f"/api/workspaces/{world.workspace}/merge", body)
    ended = wait_for(
        lambda: (found := world.api.get(f"/api/merge-trains/{train['id']}"))["state"] == "finished" and found,
        timeout=90,
    )
    assert [(step["task"], step["state"]) for step in ended["steps"]] == [
        (first["id"], "merged"),
        (second["id"], "merged"),
    ]
    added = world.git("log", "--reverse", "--format=%s", f"{repo_before}..main").splitlines()
    assert [line.rpartition("(")[2] for line in added] == [f"task {first['id']})", f"task {second['id']})"]
    assert world.git("show", "--format=", "--name-only", "main") == upper
