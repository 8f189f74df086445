"""Both real CLIs: our sums are what the scripted endpoint has billed, and the audit agrees."""

from __future__ import annotations

from typing import Any

import pytest

from aitask.tests.lab.ledger import COUNTED, Tokens
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World, tokens_of

pytestmark = [pytest.mark.cli, pytest.mark.slow]

SUB_AGENT = '@tool Agent {"prompt": "@bash true", "description": "help", "subagent_type": "general-purpose"}'
MIX = {
    "plain": "@text hello",
    "tools": "@write a.txt a\n@bash echo b\n@text over",
    "thinking": "@think about it\n@text so",
    "failed": "@write f.txt f\n@error 400",
    "retried": "@error 500 1\n@write e.txt e\n@text over",
    "throttled": "@error 429 1\n@text over",
    "cut": "@cut 1\n@write c.txt c\n@text over",
}


def sums_of(world: World) -> Tokens:
    totals = world.api.get("/api/usage")["totals"]
    return Tokens(**{name: totals[name] for name in COUNTED})


def billed(world: World) -> Tokens:
    return world.endpoint.ledger.total()


def ended(world: World, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [world.api.wait_for_run(run["id"], timeout=240) for run in runs]


def test_a_mixed_bag_of_runs_adds_up_to_what_was_billed() -> None:
    with World() as world:
        runs = ended(
            world,
            [
                world.start(prompt, backend, title=name)
                for name, prompt in MIX.items()
                for backend in ("claude_code", "codex")
            ],
        )
        runs.append(world.finish(f"{SUB_AGENT}\n@text over", timeout=120))
        for number in (0, 1):  # both CLIs go on with a session
            task = world.task_of(runs[number])["id"]
            follow_up = world.api.run_task(task, prompt="@bash echo more\n@text again", resume=True)
            runs.append(world.api.wait_for_run(follow_up["id"], timeout=120))
        runs += [interrupted(world, backend) for backend in ("claude_code", "codex")]
        for run in runs:
            print(
                run["id"], run["backend"], run["state"], run["cost_usd"], run["cost_source"], tokens_of(run)
            )
        assert sums_of(world) == billed(world)
        check_the_costs(runs)
        check_the_audit(world, runs)


def interrupted(world: World, backend: str) -> dict[str, Any]:
    """Stopped while a command runs, so that what was answered before was billed."""
    run = world.start("@bash sleep 600\n@text never", backend)
    wait_for(lambda: world.events(run, "tool"), 60, "the command to run")
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    stopped: dict[str, Any] = world.api.wait_for_run(run["id"], timeout=120)
    return stopped


def check_the_costs(runs: list[dict[str, Any]]) -> None:
    """Claude Code reports its cost; Codex does not, so that it is estimated."""
    for run in runs:
        if any(run[name] for name in COUNTED) and run["state"] == "succeeded":
            assert run["cost_usd"] > 0
            assert run["cost_source"] == ("reported" if run["backend"] == "claude_code" else "estimated")


def check_the_audit(world: World, runs: list[dict[str, Any]]) -> None:
    """It agrees, and finds a difference that somebody makes."""
    said = world.app.manage("audit_usage", "--workspace", "here", check=False)
    print(said)
    assert "0 with a difference" in said
    code = f"from tasks.models import Run; Run.objects.filter(pk={runs[0]['id']}).update(output_tokens=1)"
    world.app.manage("shell", "-c", code)
    planted = world.app.manage("audit_usage", check=False)
    assert "1 with a difference" in planted
    assert f"session {runs[0]['cli_session']}: output" in planted
