"""A script steers real agents by the API: the app as a user starts it, real CLIs, real tmux and git."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.app import App
from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.client import ApiError
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git, make_repo
from aitask.tests.lab.tools import require_tool

pytestmark = [pytest.mark.cli, pytest.mark.slow]


@pytest.fixture(params=["claude_code", "codex"])
def backend(request: pytest.FixtureRequest) -> str:
    require_tool({"claude_code": "claude"}.get(request.param, request.param))
    return str(request.param)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


@pytest.fixture
def workspace(app: App, endpoint: ScriptedEndpoint, repo: Path, tmp_path: Path) -> int:
    home = make_cli_home(tmp_path / "home", endpoint.url)
    made = app.api.add_workspace(
        tmp_path.name, str(repo), environment=home.environment, permission_mode="ask"
    )
    return int(made["id"])


def start(app: App, workspace: int, prompt: str, backend: str) -> dict[str, Any]:
    task = app.api.add_task(workspace, prompt, backend)
    return dict(app.api.run_task(task["id"]))


def test_an_approval_lets_the_agent_work_and_counts_once(
    app: App, workspace: int, repo: Path, backend: str
) -> None:
    run = start(app, workspace, "Go\n@bash touch hello.txt\n@text bye", backend)
    waiting = app.api.wait_for_run(run["id"], {"waiting"})
    address = f"/api/runs/{run['id']}/requests/{waiting['open_requests'][0]['id']}"
    assert app.api.post(address, {"decision": "allow"}) == {"ok": True}
    with pytest.raises(ApiError, match="409"):
        app.api.post(address, {"decision": "deny"})
    assert app.api.wait_for_run(run["id"])["state"] == "succeeded"
    branch = app.api.get(f"/api/tasks/{run['task']}")["branch"]
    assert "hello.txt" in git(repo, "ls-tree", "--name-only", branch)
    seqs = [event["seq"] for event in app.api.events(run["id"])]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_message_is_taken_after_the_turn(app: App, workspace: int, backend: str) -> None:
    run = start(app, workspace, "Go\n@delay 2\n@text first", backend)
    app.api.wait_for_run(run["id"], {"running"})
    app.api.post(f"/api/runs/{run['id']}/message", {"text": "@text second", "when": "after_turn"})
    assert app.api.wait_for_run(run["id"])["state"] == "succeeded"
    events = app.api.events(run["id"])
    assert "@text second" in [event["text"] for event in events if event["kind"] == "message"]
    assert [event["text"] for event in events if event["kind"] == "text"] == ["first", "second"]


def test_a_stop_ends_the_run_in_an_orderly_way(app: App, workspace: int, backend: str) -> None:
    run = start(app, workspace, "Go\n@delay 60\n@text late", backend)
    app.api.wait_for_run(run["id"], {"running"})
    app.api.post(f"/api/runs/{run['id']}/stop")
    ended = app.api.wait_for_run(run["id"], timeout=20)
    assert (ended["state"], ended["reason_code"]) == ("cancelled", "cancelled")
