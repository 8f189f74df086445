"""Six runs are going when something dies: each ends in its true state, no event is lost or doubled."""

from __future__ import annotations

import signal
import sqlite3
import threading
import uuid

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.app import Role
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import BACKENDS, World, assert_no_gap, embedded, tokens_of

pytestmark = [pytest.mark.cli, pytest.mark.slow]
STEPS = 4


class Six:
    """Six runs that are at work, half with each CLI; they do not end before they may."""

    def __init__(self, world: World) -> None:
        self.gate = world.app.folder / f"gate-{uuid.uuid4().hex}"
        script = f"@steps {STEPS} 1\n@bash until test -e {self.gate}; do sleep 0.2; done\n@write done.txt yes"
        self.runs = [world.start(script, BACKENDS[i % 2]) for i in range(6)]
        for run in self.runs:
            world.api.wait_for_run(run["id"], {"running"}, timeout=60)


@pytest.fixture
def six(world: World) -> Six:
    return Six(world)


def assert_all_went_well(world: World, six: Six) -> None:
    six.gate.touch()
    for run in six.runs:
        ended = world.api.wait_for_run(run["id"], timeout=120)
        assert ended["state"] == "succeeded", ended["reason"]
        events = world.events(ended)
        assert_no_gap(events)
        said = [event["text"] for event in events if event["kind"] == "text"]
        assert [text for text in said if text.startswith("step ")] == [
            f"step {n}" for n in range(1, STEPS + 1)
        ]
        assert tokens_of(ended) == world.billed(ended)
        assert world.git("show", f"{world.task_of(ended)['branch']}:done.txt") == "yes"


@embedded
@pytest.mark.parametrize("role", ["web", "worker", "follower"])
def test_a_killed_process_of_the_app_costs_nothing(world: World, six: Six, role: Role) -> None:
    old = world.app.kill(role)
    world.app.wait_for_restart(role, old)
    world.app.wait_until_it_answers()
    assert_all_went_well(world, six)


@embedded
def test_killed_idle_workers_do_not_stop_the_app(world: World, six: Six) -> None:
    for pid in processes.descendants_of(world.app.pid("worker"))[-3:]:
        processes.send(pid, signal.SIGKILL)
    assert world.succeed("@text another one works")["state"] == "succeeded"
    assert_all_went_well(world, six)


@embedded
def test_a_worker_killed_while_it_starts_a_run_does_not_start_it_twice(world: World) -> None:
    runs = [world.start("@text only once", BACKENDS[i % 2]) for i in range(4)]
    world.app.kill("worker")
    for run in runs:
        ended = world.api.wait_for_run(run["id"], timeout=120)
        assert ended["state"] == "succeeded", ended["reason"]
        assert len(world.endpoint.ledger.turns(ended["cli_session"])) == 1


@embedded
def test_the_whole_app_killed_and_started_again_finds_its_runs(world: World, six: Six) -> None:
    world.app.kill("up")
    wait_for(lambda: not _app_processes(world), 20, "the end of the app's processes")
    world.app.up()
    assert "6 runs went on" in WebSession(world.app).get("/")
    assert_all_went_well(world, six)


@embedded
def test_a_database_that_is_locked_for_ten_seconds_is_waited_for(world: World, six: Six) -> None:
    locked = sqlite3.connect(world.app.data / "db.sqlite3", isolation_level=None, check_same_thread=False)
    locked.execute("BEGIN IMMEDIATE")

    def let_go() -> None:
        locked.rollback()
        locked.close()

    timer = threading.Timer(10, let_go)
    timer.start()
    timer.join()
    assert_all_went_well(world, six)


def test_a_killed_tmux_server_ends_the_runs_as_what_they_are(world: World, six: Six) -> None:
    world.app.tmux.kill()
    for run in six.runs:
        ended = world.api.wait_for_run(run["id"], timeout=60)
        assert (ended["state"], ended["reason_code"]) == ("failed", "hangup"), ended["reason"]
        assert_no_gap(world.events(ended))
    assert not [pid for pid in world.app.leftovers() if "claude" in processes.command_of(pid)]
    assert world.succeed("@text the next one has a new server")["state"] == "succeeded"


def _app_processes(world: World) -> list[int]:
    """The app itself, not what runs in tmux."""
    return [pid for pid in world.app.leftovers() if "aitask.supervisor" in processes.command_of(pid)]
