"""Runs are going when something dies: each ends in its true state, no event is lost or doubled."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.app import ROLE_WORDS, Role
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import BACKENDS, World, assert_no_gap, embedded, tokens_of

pytestmark = [pytest.mark.cli, pytest.mark.slow]
STEPS = 5


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Its own: parts of it are killed."""
    with World() as world:
        yield world


class AtWork:
    """Runs that are at work, half with each CLI. They take a step, say so and wait to be let on."""

    def __init__(self, world: World, gates: Path, count: int) -> None:
        self.world = world
        self.gate = gates / "gate"
        self.step = 1
        script = "\n".join(
            f"@text step {number}\n@bash until test -e {self.gate}-{number}; do sleep 0.2; done"
            for number in range(1, STEPS + 1)
        )
        self.runs = [world.start(f"{script}\n@write done.txt yes", BACKENDS[i % 2]) for i in range(count)]
        self.wait_for_steps()

    def go_on(self) -> None:
        """Let them take one more step, and wait until the app knows of it."""
        self.open_gate()
        self.wait_for_steps()

    def wait_for_steps(self) -> None:
        expected = [f"step {number}" for number in range(1, self.step + 1)]
        for run in self.runs:
            wait_for(partial(self.has_said, run, expected), 60, f"{expected} of run {run['id']}")

    def has_said(self, run: dict[str, int], steps: list[str]) -> bool:
        return self.steps_of(run) == steps

    def steps_of(self, run: dict[str, int]) -> list[str]:
        said = [event["text"] for event in self.world.events(run, "text")]
        return [text for text in said if text.startswith("step ")]

    def finish(self) -> None:
        """Let them come to their end; each must have gone well, with nothing lost or doubled."""
        while self.step <= STEPS:
            self.open_gate()
        world = self.world
        for run in self.runs:
            ended = world.api.wait_for_run(run["id"], timeout=120)
            assert ended["state"] == "succeeded", ended["reason"]
            assert_no_gap(world.events(ended))
            assert self.steps_of(ended) == [f"step {number}" for number in range(1, STEPS + 1)]
            assert tokens_of(ended) == world.billed(ended)
            assert world.git("show", f"{world.task_of(ended)['branch']}:done.txt") == "yes"

    def open_gate(self) -> None:
        """Let them take one more step."""
        self.gate.with_name(f"{self.gate.name}-{self.step}").touch()
        self.step += 1


@pytest.fixture
def gates() -> Iterator[Path]:
    # Codex's sandbox hides /dev/shm, where the folders of tests may lie.
    with tempfile.TemporaryDirectory(prefix="gates-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def six(world: World, gates: Path) -> AtWork:
    return AtWork(world, gates, 6)


@pytest.fixture
def pair(world: World, gates: Path) -> AtWork:
    """One of each CLI."""
    return AtWork(world, gates, 2)


@embedded
def test_killed_processes_of_the_app_cost_nothing(world: World, six: AtWork) -> None:
    for role in get_args(Role):
        old = world.app.kill(role)
        world.app.wait_for_restart(role, old)
        world.app.wait_until_it_answers()
        six.go_on()
    for pid in processes.descendants_of(world.app.pid("worker"))[-3:]:
        processes.send(pid, signal.SIGKILL)
    assert world.succeed("@text another one works")["state"] == "succeeded"
    six.finish()


@embedded
def test_a_locked_database_is_waited_for_and_an_app_started_again_finds_its_runs(
    world: World, six: AtWork
) -> None:
    with locked_database(world, seconds=10):
        six.open_gate()
    six.wait_for_steps()
    world.app.kill("up")
    wait_for(lambda: not _app_processes(world), 20, "the end of the app's processes")
    world.app.up()
    assert "6 runs kept running" in WebSession(world.app).get("/")
    six.finish()


@contextlib.contextmanager
def locked_database(world: World, seconds: float) -> Iterator[None]:
    """Nobody else can write for so long."""
    locked = sqlite3.connect(world.app.data / "db.sqlite3", isolation_level=None)
    with contextlib.closing(locked):
        locked.execute("BEGIN IMMEDIATE")
        until = time.monotonic() + seconds
        yield
        time.sleep(max(0.0, until - time.monotonic()))
        locked.rollback()


@embedded
def test_a_worker_killed_while_it_starts_a_run_does_not_start_it_twice(world: World) -> None:
    runs = [world.start("@text only once", BACKENDS[i % 2]) for i in range(4)]
    world.app.kill("worker")
    for run in runs:
        ended = world.api.wait_for_run(run["id"], timeout=120)
        assert ended["state"] == "succeeded", ended["reason"]
        assert len(world.endpoint.ledger.turns(ended["cli_session"])) == 1


def test_runs_outlive_their_tmux_server_and_get_their_terminals_back(world: World, pair: AtWork) -> None:
    for number in (signal.SIGKILL, signal.SIGSEGV):
        pid = world.app.tmux.pid
        assert pid
        processes.send(pid, number)
        for run in pair.runs:
            wait_for(partial(_shows, world, run["task"], "step 1"), 30, f"the window of run {run['id']}")
        pair.go_on()
    pair.finish()


def _shows(world: World, task: int, text: str) -> bool:
    """Whether the session of the task has this text. Without a session, it has none."""
    return text in world.app.tmux.run("capture-pane", "-p", "-S", "-", "-t", f"=aitask-{task}:", check=False)


def test_an_agent_that_kills_its_tmux_server_ends_nobodys_run(world: World, pair: AtWork) -> None:
    free = world.add_workspace("full", permission_mode="full")["id"]
    before = world.app.tmux.pid
    world.succeed(
        "@bash tmux kill-server; tmux new-session -d; tmux kill-server\n@text tried", workspace=free
    )
    assert world.app.tmux.pid == before
    pair.finish()


def _app_processes(world: World) -> list[int]:
    """The app itself, not what runs in tmux."""
    words = ROLE_WORDS.values()
    found = [(pid, processes.command_of(pid)) for pid in world.app.leftovers()]
    return [pid for pid, command in found if any(word in command for word in words)]
