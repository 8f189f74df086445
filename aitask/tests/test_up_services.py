"""The same three processes on PostgreSQL and Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.installation import Enqueuer, Installation
from aitask.tests.lab import processes
from aitask.tests.lab.services import PostgreSQL, Redis
from aitask.tests.lab.wait import wait_for
from aitask.tests.test_up import Up
from aitask.tests.test_worker import NOTE, Notes

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Installation]:
    with PostgreSQL() as database, Redis() as redis:
        (tmp_path / "data").mkdir(mode=0o700)
        urls = {"DATABASE_URL": database.url, "REDIS_URL": redis.url}
        installation = Installation(tmp_path / "data", urls)
        yield installation
        installation.end()


def test_up_serves_runs_jobs_survives_a_killed_worker_and_stops(served: Installation, tmp_path: Path) -> None:
    up = Up(served)
    up.wait_until_ready()
    assert up.get("/login").status == 200
    enqueue, notes = Enqueuer(served), Notes(tmp_path / "notes")
    enqueue(NOTE, notes.path, "first")
    notes.wait_for("first", 30)

    processes.send(notes.pid_of("first"), signal.SIGKILL)

    def next_job_runs() -> bool:
        """Redis loses what a killed process had taken; the reaper's next nudge must get through."""
        enqueue(NOTE, notes.path, "next")
        try:
            notes.wait_for("next", 1)
        except AssertionError:
            return False
        return True

    wait_for(next_job_runs, 30, "a job after the kill")
    enqueue.close()
    everything = served.processes()
    up.process.terminate()
    assert up.process.wait(15) == 0
    processes.wait_until_gone(everything, 5)
    assert "Traceback" not in served.log()
