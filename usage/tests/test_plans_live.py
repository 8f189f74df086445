"""How full a plan is, from both real CLIs: told by runs, and asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.slow]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


def limits_of(world: World, backend: str) -> list[dict[str, Any]]:
    said = world.api.get("/api/usage")["limits"]
    return [limit for limit in said if limit["backend"] == backend]


def has_error(world: World, backend: str) -> bool:
    return all(limit["error"] for limit in limits_of(world, backend))


@pytest.mark.long("waits for the schedule, which asks once a minute")
def test_runs_tell_and_asking_says_why_there_is_nothing_more(world: World) -> None:
    workspace = world.add_workspace("plan", environment=world.environment(login="oauth"))["id"]
    for backend in ("claude_code", "codex"):
        world.succeed("@quota 91\n@text hello", backend, workspace=workspace)
        told = [limit for limit in limits_of(world, backend) if limit["used_percent"]]
        assert told, backend
        assert max(limit["used_percent"] for limit in told) == pytest.approx(91, abs=1)
        assert {limit["source"] for limit in told} == {"run"}
        assert all(limit["resets_at"] for limit in told)
    for backend in ("claude_code", "codex"):
        wait_for(functools.partial(has_error, world, backend), 150, "the schedule to ask")
        assert all("no plan limits" in x["error"] for x in limits_of(world, backend))


def test_after_a_limit_the_follow_up_waits_for_the_reset(world: World) -> None:
    environment = world.environment(login="oauth")
    workspace = world.add_workspace("limited", environment=environment)["id"]
    ended = world.finish("@limit 90\n@text never", "codex", workspace=workspace)
    assert ended["limit_resets_at"], ended["reason"]
    queued = world.api.post(f"/api/tasks/{ended['task']}/resume-at-reset")
    waiting = world.api.wait_for_run(queued["id"], {"queued"})
    wait_for(lambda: "limit resets" in world.api.run(waiting["id"])["reason"], 20, "the reason on the card")
    world.api.post(f"/api/tasks/{ended['task']}/cancel")
    assert world.api.wait_for_run(queued["id"])["state"] == "cancelled"
