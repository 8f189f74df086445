"""The worker does its jobs side by side, and none is lost, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from aitask.tests.installation import Enqueuer, Installation
from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from aitask.worker.cluster import BROKEN
from aitask.worker.standstill import Standstill

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


def start(installation: Installation) -> subprocess.Popen[bytes]:
    return installation.start("manage.py", "qcluster")


@pytest.fixture
def worker(installation: Installation, enqueue: Enqueuer, notes: Notes) -> subprocess.Popen[bytes]:
    """One that has done a job."""
    started = start(installation)
    enqueue(NOTE, notes.path, "first")
    notes.wait_for("first", 30)
    return started


def test_jobs_run_side_by_side_in_one_process_and_again_after_it_was_killed(
    worker: subprocess.Popen[bytes], installation: Installation, enqueue: Enqueuer, notes: Notes
) -> None:
    for number in range(3):
        enqueue(NOTE_SLOWLY, notes.path, str(number), 3)
    for number in range(3):
        notes.wait_for(f"{number} begun")
    assert {notes.pid_of(f"{number} begun") for number in range(3)} == {worker.pid}
    assert "0 ended" not in notes.texts()
    processes.send(worker.pid, signal.SIGKILL)
    worker.wait(5)
    start(installation)
    for number in range(3):
        notes.wait_for(f"{number} ended", 60)
    assert notes.texts().count("0 begun") == 2


def test_it_is_one_process(worker: subprocess.Popen[bytes]) -> None:
    assert processes.children_of(worker.pid) == []


def test_waiting_jobs_are_a_standstill_only_if_no_worker_starts_one() -> None:
    standstill = Standstill()

    def has_come(now: float, *, busy: bool = False, waits: bool = True) -> bool:
        return standstill.has_come(now, busy=busy, jobs_wait=lambda: waits)

    assert not has_come(100)
    assert not has_come(119)
    assert not has_come(124, busy=True)
    assert not has_come(130)
    standstill._started = 140
    assert not has_come(155)
    assert has_come(165)
    assert not has_come(166)
    assert not has_come(172, waits=False)


def test_a_job_that_takes_too_long_ends_the_process_and_runs_again(
    installation: Installation, enqueue: Enqueuer, notes: Notes
) -> None:
    code = (
        "import django; django.setup(); from django_q.conf import Conf; Conf.TIMEOUT = 2;"
        " from aitask import worker; worker.run()"
    )
    impatient = installation.start("-c", code)
    enqueue(NOTE_SLOWLY, notes.path, "job", 60)
    notes.wait_for("job begun", 30)
    assert impatient.wait(20) == BROKEN
    start(installation)
    wait_for(lambda: notes.texts().count("job begun") == 2, 30, "the job's second beginning")


def test_a_signal_to_the_whole_group_stops_it_in_seconds(worker: subprocess.Popen[bytes]) -> None:
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(8) == 0


def test_an_idle_worker_stops_within_seconds(worker: subprocess.Popen[bytes]) -> None:
    started = time.monotonic()
    worker.terminate()
    assert worker.wait(8) == 0
    assert time.monotonic() - started < 5


def test_a_stop_gives_jobs_some_seconds_and_the_next_start_does_the_others(
    worker: subprocess.Popen[bytes], installation: Installation, enqueue: Enqueuer, notes: Notes
) -> None:
    enqueue(NOTE_SLOWLY, notes.path, "short", 2)
    enqueue(NOTE_SLOWLY, notes.path, "long", 60)
    notes.wait_for("short begun")
    notes.wait_for("long begun")
    worker.terminate()
    assert worker.wait(12) == 0
    assert "short ended" in notes.texts()
    start(installation)
    wait_for(lambda: notes.texts().count("long begun") == 2, 20, "the job's second beginning")
    assert notes.texts().count("short begun") == 1
