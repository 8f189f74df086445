"""The agent's list, background work and a compaction, from the real CLIs to the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aitask.tests.lab.client import ApiError
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World, assert_no_gap

pytestmark = pytest.mark.cli
TODO = {"content": "Write the tests", "status": "in_progress", "activeForm": "Writing the tests"}
LISTS = {
    "claude_code": f"@tool TodoWrite {json.dumps({'todos': [TODO]})}",
    "codex": "@plan Write the tests",
}
SERVERS = {
    "claude_code": '@tool Bash {"command": "sleep 4751", "description": "srv", "run_in_background": true}',
    "codex": '@tool exec_command {"cmd": "sleep 4751", "yield_time_ms": 300}',
}


@pytest.mark.long("starts the application of the module, and works for some seconds")
def test_a_run_tells_its_list_and_its_background_and_can_be_compacted(world: World, backend: str) -> None:
    script = f"{LISTS[backend]}\n{SERVERS[backend]}\n@bash sleep 4\n@text ok"
    started = world.start(script, backend)
    path = f"/api/runs/{started['id']}"

    def with_background() -> dict[str, Any] | None:
        run: dict[str, Any] = world.api.get(path)
        return run if run["background"] else None

    run = wait_for(with_background, 60)
    assert run["progress"][-1]["text"] == "Write the tests"
    assert run["context_used"] > 0
    [work] = run["background"]
    with pytest.raises(ApiError):
        world.api.post(f"{path}/background/no-such/stop")
    assert world.api.post(f"{path}/background/{work['id']}/stop") == {"ok": True}
    assert world.api.post(f"{path}/compact") == {"ok": True}
    ended = world.api.wait_for_run(started["id"], timeout=60)
    assert (ended["state"], ended["background"]) == ("succeeded", [])
    events = world.events(ended)
    assert_no_gap(events)
    phases = [event["phase"] for event in events if event["kind"] == "compaction"]
    assert phases == ["started", "finished"]
    assert not [event for event in events if event["kind"] == "raw"]
    again = world.api.run_task(ended["task"], prompt="@text on", resume=True)
    assert again["progress"] == ended["progress"]
    assert world.api.wait_for_run(again["id"])["state"] == "succeeded"
