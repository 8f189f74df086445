"""A login that is refused stops a host's queue before every run of it has failed."""

from __future__ import annotations

import pytest

from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

pytestmark = pytest.mark.cli


def test_two_refused_logins_hold_the_next_start_until_a_person_tries(world: World, backend: str) -> None:
    for script in ("@login", "@error 401"):
        run = world.finish(script, backend)
        assert (run["state"], run["reason_code"]) == ("failed", "login"), run["reason"]
        assert world.task_of(run)["badge"] == "login refused"
    held = [world.start("@text in again", backend) for _ in range(2)]
    wait_for(lambda: world.api.run(held[1]["id"])["reason"].startswith("Held:"), 10, "the reason")
    world.api.post(f"/api/tasks/{held[0]['task']}/try-login")
    assert [world.api.wait_for_run(run["id"])["state"] for run in held] == ["succeeded"] * 2
