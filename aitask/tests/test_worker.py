"""The worker goes on, and nothing outlives it, whichever of its processes is killed."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from aitask.tests.installation import Enqueuer, Installation
from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from aitask.worker.cluster import was_killed
from aitask.worker.watch import Standstill

pytestmark = pytest.mark.server

NOTE, NOTE_SLOWLY = "aitask.tests.jobs.note", "aitask.tests.jobs.note_slowly"


class Notes:
    """What the jobs have written."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        path.touch()

    def texts(self) -> list[str]:
        return [line.rpartition(" ")[0] for line in Path(self.path).read_text().splitlines()]

    def pid_of(self, text: str) -> int:
        lines = Path(self.path).read_text().splitlines()
        return int(next(line for line in lines if line.startswith(text + " ")).rpartition(" ")[2])

    def wait_for(self, text: str, timeout: float = 15) -> None:
        wait_for(lambda: text in self.texts(), timeout, f"the note {text!r}")


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


class Worker:
    """A running `manage.py qcluster` and its processes."""

    def __init__(self, installation: Installation) -> None:
        self.process = installation.start("manage.py", "qcluster")

    @property
    def sentinel(self) -> int:
        found = processes.children_of(self.process.pid)
        return found[0] if found else 0

    def members(self) -> list[int]:
        """The sentinel's processes: workers, monitor and pusher."""
        return [pid for pid in processes.children_of(self.sentinel) if processes.is_alive(pid)]

    def wait_until_complete(self) -> list[int]:
        return wait_for(lambda: (m := self.members()) and len(m) == 6 and m, 20, "six processes")


@pytest.fixture
def worker(installation: Installation, enqueue: Enqueuer, notes: Notes) -> Worker:
    started = Worker(installation)
    enqueue(NOTE, notes.path, "first")
    notes.wait_for("first", 30)
    started.wait_until_complete()
    return started


@pytest.mark.slow
def test_jobs_run_within_seconds_after_each_of_twelve_kills_of_any_process(
    worker: Worker, enqueue: Enqueuer, notes: Notes
) -> None:
    choose = random.Random(2)
    slowest = 0.0
    for number in range(12):
        victim = choose.choice(worker.wait_until_complete())
        processes.send(victim, signal.SIGKILL)
        killed = time.monotonic()
        enqueue(NOTE, notes.path, f"after {number}")
        notes.wait_for(f"after {number}")
        slowest = max(slowest, time.monotonic() - killed)
    assert slowest < 10


@pytest.mark.slow
def test_jobs_run_again_after_a_lock_of_the_queue_was_never_released(
    worker: Worker, enqueue: Enqueuer, notes: Notes
) -> None:
    before = worker.members()
    enqueue("aitask.tests.jobs.keep_the_queue_locked")
    numbers = count()

    def every_process_is_new() -> bool:
        enqueue(NOTE, notes.path, f"after {next(numbers)}")  # the lock changes hands with each job
        return set(before).isdisjoint(worker.members())

    wait_for(every_process_is_new, 120, "new processes", every=1)
    for number in range(next(numbers)):
        notes.wait_for(f"after {number}", 120)


def test_waiting_jobs_are_a_standstill_only_if_no_worker_starts_one() -> None:
    standstill = Standstill()

    def has_come(now: float, *, busy: bool = False, waits: bool = True) -> bool:
        return standstill.has_come(now, busy=busy, jobs_wait=lambda: waits)

    assert not has_come(100)
    assert not has_come(119)
    assert not has_come(124, busy=True)
    assert not has_come(130)
    standstill._started.value = 140
    assert not has_come(155)
    assert has_come(165)
    assert not has_come(166)
    assert not has_come(172, waits=False)


@pytest.mark.parametrize(
    ("code", "expected"), [(None, False), (0, False), (1, False), (-9, True), (-11, True)]
)
def test_a_process_that_a_signal_ended_is_recognized(code: int | None, expected: bool) -> None:
    assert was_killed(cast(BaseProcess, SimpleNamespace(exitcode=code))) is expected


def test_a_job_whose_worker_is_killed_runs_again_soon(
    worker: Worker, enqueue: Enqueuer, notes: Notes
) -> None:
    enqueue(NOTE_SLOWLY, notes.path, "job", 2)
    notes.wait_for("job begun")
    processes.send(notes.pid_of("job begun"), signal.SIGKILL)
    notes.wait_for("job ended", 15)
    assert notes.texts().count("job begun") == 2


def test_jobs_run_after_the_sentinel_is_killed(worker: Worker, enqueue: Enqueuer, notes: Notes) -> None:
    before = worker.members()
    processes.send(worker.sentinel, signal.SIGKILL)
    enqueue(NOTE, notes.path, "after")
    notes.wait_for("after")
    processes.wait_until_gone(before, 3)


def test_nothing_outlives_the_parent_when_it_is_killed(worker: Worker) -> None:
    left = [worker.sentinel, *worker.members()]
    processes.send(worker.process.pid, signal.SIGKILL)
    processes.wait_until_gone(left, 3)


def test_a_signal_to_the_whole_group_stops_it_in_seconds(worker: Worker) -> None:
    members = [worker.sentinel, *worker.members()]
    os.killpg(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(8) == 0
    processes.wait_until_gone(members, 2)


def test_an_idle_worker_stops_within_seconds(worker: Worker) -> None:
    started = time.monotonic()
    worker.process.terminate()
    assert worker.process.wait(8) == 0
    assert time.monotonic() - started < 5


def test_a_worker_with_a_long_job_stops_in_seconds_and_the_next_one_takes_the_job(
    worker: Worker, installation: Installation, enqueue: Enqueuer, notes: Notes
) -> None:
    enqueue(NOTE_SLOWLY, notes.path, "job", 60)
    notes.wait_for("job begun")
    worker.process.terminate()
    assert worker.process.wait(10) == 0
    Worker(installation)
    wait_for(lambda: notes.texts().count("job begun") == 2, 20, "the job's second beginning")


def test_a_stopped_member_of_the_cluster_does_not_hinder_the_stop(worker: Worker) -> None:
    processes.send(worker.members()[0], signal.SIGSTOP)
    worker.process.terminate()
    assert worker.process.wait(12) == 0
