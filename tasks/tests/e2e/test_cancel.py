"""Cancelling ends everything that was started, keeps the work, and leaves a shell to look around in."""

from __future__ import annotations

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World, assert_no_gap

pytestmark = pytest.mark.cli
MARK = "sleep 4242.5"


def sleepers(world: World) -> list[int]:
    """The processes that the agent's command left, wherever they went."""
    return [
        pid for pid in processes.pids() if "4242.5" in processes.command_of(pid) and processes.is_alive(pid)
    ]


def test_cancelling_ends_also_what_made_a_session_of_its_own(world: World, backend: str) -> None:
    workspace = world.add_workspace(f"cancel {backend}", permission_mode="full")["id"]
    script = f"@write kept.txt kept\n@bash setsid {MARK} & nohup {MARK} & {MARK}"
    run = world.start(script, backend, workspace=workspace)
    wait_for(lambda: len(sleepers(world)) >= 3, 30, "three sleeping commands")
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    ended = world.api.wait_for_run(run["id"])
    assert (ended["state"], ended["reason_code"]) == ("cancelled", "cancelled")
    assert sleepers(world) == []
    assert_no_gap(world.events(ended))
    assert world.git("show", f"{world.task_of(ended)['branch']}:kept.txt") == "kept"
    assert world.task_of(ended)["badge"] == "cancelled"


def test_the_session_is_made_anew_with_what_the_pane_had_shown(world: World, backend: str) -> None:
    run = world.start("@text words before the end\n@steps 60 1", backend)
    session = f"aitask-{run['task']}"
    wait_for(lambda: "words before the end" in _pane(world, session), 30, "the agent's words in the pane")
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    world.api.wait_for_run(run["id"])
    wait_for(lambda: _windows(world, session) == ["shell"], 30, "a shell instead of the run's window")
    wait_for(lambda: "words before the end" in _pane(world, session), 30, "the saved history")
    world.app.tmux.run("send-keys", "-t", f"={session}:", "pwd -P", "Enter")
    folder = str(world.worktree(run).resolve())
    wait_for(lambda: folder in _pane(world, session).split("pwd -P")[-1], 30, "a shell in the worktree")


def test_before_the_start_during_it_and_after_the_end_it_is_harmless(world: World, backend: str) -> None:
    narrow = world.add_workspace(f"narrow {backend}", max_parallel_runs=1)["id"]
    first = world.start("@steps 3 0.5", backend, workspace=narrow)
    waiting = world.start("@text never", backend, workspace=narrow)
    world.api.post(f"/api/tasks/{waiting['task']}/cancel")
    assert world.api.run(waiting["id"])["state"] == "cancelled"
    assert world.api.wait_for_run(first["id"])["state"] == "succeeded"
    world.api.post(f"/api/tasks/{first['task']}/cancel")
    assert world.api.run(first["id"])["state"] == "succeeded"
    assert world.endpoint.ledger.entries(lambda entry: entry.prompt == "@text never") == []


@pytest.mark.parametrize("pause", [0.0, 0.15, 0.4, 0.8])
def test_at_any_moment_of_the_start_it_ends_as_cancelled(world: World, backend: str, pause: float) -> None:
    run = world.start("@steps 60 1", backend)
    if pause:
        with pytest.raises(AssertionError):
            wait_for(lambda: False, pause)
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    ended = world.api.wait_for_run(run["id"])
    assert ended["state"] == "cancelled", ended["reason"]
    if worktree := world.task_of(ended)["worktree_path"]:
        assert git(world.worktree(run), "status", "--porcelain") == "", worktree


def _windows(world: World, session: str) -> list[str]:
    if session not in world.app.tmux.sessions():
        return []
    return world.app.tmux.run(
        "list-windows", "-t", f"={session}", "-F", "#{window_name}", check=False
    ).split()


def _pane(world: World, session: str) -> str:
    if session not in world.app.tmux.sessions():
        return ""
    return world.app.tmux.capture(f"={session}:")
