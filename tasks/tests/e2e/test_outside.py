"""An agent that leaves its branch, and a branch that brings programs for agents, in the whole app."""

from __future__ import annotations

import re

import pytest

from aitask.tests.lab.repos import commit_file, git, make_repo
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import World

pytestmark = pytest.mark.cli


def test_main_that_an_agent_moves_is_named_and_put_back(world: World, backend: str) -> None:
    web, repo = WebSession(world.app), make_repo(world.app.folder / f"moved-{backend}")
    workspace = world.add_workspace(f"moved {backend}", repo, permission_mode="full")["id"]
    before = git(repo, "rev-parse", "main")
    move = "git commit -q --allow-empty -m sly && git update-ref refs/heads/main HEAD"
    run = world.succeed(
        f"@bash {move}\n@bash echo x >> {repo}/stray.txt\n@text ok", backend, workspace=workspace
    )
    assert git(repo, "rev-parse", "main") != before

    page = web.get(f"/tasks/{run['task']}")
    assert "main was moved outside a merge train while this run was going on" in page
    assert "stray.txt" in page
    assert "main moved" in web.get(f"/board/columns?workspace={workspace}")
    (verb,) = re.findall(r"/outside-changes/\d+/put-back", page)
    status, toast = web.post(verb)
    assert status < 300, toast

    assert git(repo, "rev-parse", "main") == before
    assert "main moved" not in web.get(f"/board/columns?workspace={workspace}")


def test_a_run_waits_until_the_servers_of_its_branch_are_allowed(world: World) -> None:
    web, repo = WebSession(world.app), make_repo(world.app.folder / "servers")
    commit_file(repo, ".mcp.json", '{"mcpServers": {"mine": {"command": "false"}}}\n')
    workspace = world.add_workspace("servers", repo)["id"]
    run = world.start("@text ok", "codex", workspace=workspace)
    path = f"/tasks/{run['task']}/agent-settings"
    wait_for(lambda: "somebody to look at" in world.api.get(f"/api/runs/{run['id']}")["reason"], 30)
    page = web.get(path)
    assert "mcpServers" in page
    web.post(f"{path}/allow", {"digest": page.partition('name="digest" value="')[2].partition('"')[0]})
    assert world.api.wait_for_run(run["id"], timeout=60)["state"] == "succeeded"
