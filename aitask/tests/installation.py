"""A separate installation for tests that start real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aitask.tests.lab import processes
from aitask.tests.lab.ready import empty_tables
from aitask.tests.lab.wait import wait_for

ROOT = Path(__file__).resolve().parents[2]
OWN_VARIABLES = {
    "ALLOWED_HOSTS",
    "ALLOW_REMOTE",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "REDIS_URL",
    "SECRET_KEY",
}

ENQUEUER = """
import json, sys, django
django.setup()
from django.utils.module_loading import import_string
from aitask.lib.queue import enqueue
print("ready", flush=True)
for line in sys.stdin:
    job, *arguments = json.loads(line)
    enqueue(import_string(job), *arguments)
    print("done", flush=True)
"""


@dataclass
class Installation:
    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
        own = {"DATA_DIR": str(self.data_dir), "DJANGO_SETTINGS_MODULE": "aitask.settings"}
        return inherited | own | self.settings

    def start(self, *arguments: str, log: str = "log") -> subprocess.Popen[bytes]:
        """Start Python with these arguments in the background; its output goes to a file in `data_dir`."""
        with (self.data_dir / log).open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )

    def log(self, name: str = "log") -> str:
        return (self.data_dir / name).read_text()

    def wait_for_log(self, text: str, name: str = "log", timeout: float = 60) -> str:
        wait_for(lambda: text in self.log(name), timeout, f"{text!r} in the log")
        return self.log(name)

    def processes(self) -> list[int]:
        """Return all running processes that this installation has started, directly or not."""
        return processes.with_variable("DATA_DIR", str(self.data_dir))

    def wait_until_all_gone(self, timeout: float) -> None:
        wait_for(lambda: not self.processes(), timeout, "the end of all processes")

    def end(self) -> None:
        for pid in self.processes():
            processes.send(pid, signal.SIGKILL)
        for process in self.started:
            process.wait(5)


class Enqueuer:
    """Enqueues jobs of an installation from a separate process."""

    def __init__(self, installation: Installation) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ENQUEUER],
            cwd=ROOT,
            env=installation.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._wait_for_answer()

    def __call__(self, function: str, *arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._process.stdin.flush()
        self._wait_for_answer()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _wait_for_answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the enqueuer has ended"


def make_installation(folder: Path, *, empty: bool = False) -> Installation:
    """Create `folder` for an installation on SQLite that has all tables and no rows; `empty`: no tables."""
    folder.mkdir(mode=0o700)
    if not empty:
        shutil.copy(empty_tables(), folder)
    return Installation(folder)
