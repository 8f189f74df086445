"""Everything imports and runs where fcntl, pty, termios, resource and os.fork do not exist."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from aitask.tests.installation import ROOT, Enqueuer, Installation
from aitask.tests.lab import processes
from aitask.tests.test_up import Up
from aitask.tests.test_worker import NOTE, Notes

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
