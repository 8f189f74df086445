"""Everything imports and runs where fcntl, pty, termios, resource and os.fork do not exist."""

from __future__ import annotations

import pkgutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aitask.tests.installation import ROOT, Enqueuer, Installation
from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from aitask.tests.test_up import Up
from aitask.tests.test_worker import NOTE, NOTE_SLOWLY, Notes

IMPORT_ALL = """
import importlib, sys, django
django.setup()
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.fixture
def poor(installation: Installation) -> Installation:
    installation.settings["PYTHONPATH"] = str(Path(__file__).parent / "no_posix")
    return installation


def our_modules() -> list[str]:
    """All of ours but tests and what runs on the host."""
    skipped = (".tests", "hostkit.", ".migrations")
    packages = [
        name for name in ("aitask", "workspaces", "tasks", "terminal", "usage") if (ROOT / name).is_dir()
    ]
    found = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
    ]
    return [name for name in found if not any(part in name for part in skipped)]


def test_the_block_is_real(poor: Installation, tmp_path: Path) -> None:
    probe = f"exec(compile('import fcntl', 'x', 'exec'), {{'__file__': {str(ROOT / 'aitask' / 'x.py')!r}}})"
    done = subprocess.run(
        [sys.executable, "-c", probe], env=poor.environment, capture_output=True, text=True, check=False
    )
    assert "No module named 'fcntl'" in done.stderr


def test_every_module_imports(poor: Installation) -> None:
    names = our_modules()
    assert "aitask.supervisor.groups" in names
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        cwd=ROOT,
        env=poor.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_up_starts_web_worker_and_follower_and_a_job_runs(poor: Installation, tmp_path: Path) -> None:
    up, enqueue, notes = Up(poor), Enqueuer(poor), Notes(tmp_path / "notes")
    up.wait_until_ready()
    follower = up.leader("follower")
    enqueue(NOTE, notes.path, "done")
    notes.wait_for("done", 60)
    assert up.get("/login").status == 200
    assert up.leader("follower") == follower
    everything = poor.processes()
    up.process.kill()
    enqueue.close()
    processes.wait_until_gone(everything, 8)


@pytest.mark.slow
def test_jobs_run_side_by_side_in_one_process_and_again_after_it_was_killed(
    poor: Installation, tmp_path: Path
) -> None:
    up, enqueue, notes = Up(poor), Enqueuer(poor), Notes(tmp_path / "notes")
    for number in range(3):
        enqueue(NOTE_SLOWLY, notes.path, str(number), 3)
    for number in range(3):
        notes.wait_for(f"{number} begun", 60)
    (victim,) = {notes.pid_of(f"{number} begun") for number in range(3)}
    assert "0 ended" not in notes.texts()
    processes.send(victim, signal.SIGKILL)
    for number in range(3):
        notes.wait_for(f"{number} ended", 60)
    assert notes.pid_of("0 ended") != victim
    enqueue.close()
    up.process.terminate()
    assert up.process.wait(15) == 0


@pytest.mark.slow
def test_a_stop_gives_jobs_some_seconds_and_the_next_start_does_the_others(
    poor: Installation, tmp_path: Path
) -> None:
    enqueue, notes = Enqueuer(poor), Notes(tmp_path / "notes")
    worker = poor.start("manage.py", "qcluster")
    enqueue(NOTE_SLOWLY, notes.path, "short", 2)
    enqueue(NOTE_SLOWLY, notes.path, "long", 60)
    notes.wait_for("short begun", 60)
    notes.wait_for("long begun", 60)
    worker.terminate()
    assert worker.wait(12) == 0
    assert "short ended" in notes.texts()
    poor.start("manage.py", "qcluster")
    wait_for(lambda: notes.texts().count("long begun") == 2, 60, "the job's second beginning")
    assert notes.texts().count("short begun") == 1
    enqueue.close()
