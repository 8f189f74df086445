"""What the storm goes over: an app, this machine and a host behind sshd, both CLIs, a scripted model."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from aitask.tests.lab import processes
from aitask.tests.lab.app import ROLE_WORDS
from aitask.tests.lab.client import ApiClient
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

DATA_BYTES = 256 << 20
SERVE = ("hostkit", "serve")


class Stage(World):
    """`far` is the workspace on the host behind sshd. Where it may, DATA_DIR is a small disk of its own."""

    def __init__(self) -> None:
        self.lab = SshLab()
        super().__init__({"SSH_CONFIG": str(self.lab.config)})
        self.far_repo = self.lab.make_repo()
        self.disk = _mount(self.app.data)

    def __enter__(self) -> Stage:
        self.lab.__enter__()
        super().__enter__()
        environment = self.lab.make_cli_home(self.endpoint.url).environment
        far: dict[str, Any] = {"kind": "ssh", "ssh_host": "cloud", "environment": environment}
        self.far: int = self.add_workspace("cloud", self.far_repo, max_parallel_runs=30, **far)["id"]
        self.api.patch(f"/api/workspaces/{self.workspace}", {"max_parallel_runs": 30})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(AssertionError):
            self.app.stop()
        if self.disk:
            _unmount(self.app.data)
        super().__exit__(kind, error, trace)
        self.lab.close()

    @property
    def patient(self) -> ApiClient:
        """A client for after the storm: the app may be starting."""
        self.app.wait_until_it_answers()
        return self.api

    def servers(self, *, far: bool) -> list[int]:
        """The processes of hostkit that serve the app, on one of the hosts."""
        return [pid for pid in self._processes(far=far) if all(w in processes.command_of(pid) for w in SERVE)]

    def tmux_server(self, *, far: bool) -> int | None:
        found = [pid for pid in self._processes(far=far) if processes.name_of(pid) == "tmux: server"]
        socket = self.lab.tmux_socket if far else self.app.tmux.socket
        return next((pid for pid in found if str(socket) in processes.command_of(pid)), None)

    def connections(self) -> list[int]:
        """The sshd processes of open connections."""
        return processes.descendants_of(self.lab.sshd.pid)

    def agents(self) -> list[int]:
        """All processes that belong to a run, on both hosts."""
        found = [*self._processes(far=True), *self._processes(far=False)]
        return [pid for pid in found if "AITASK_RUN_FOLDER" in processes.environment_of(pid)]

    def restart_up(self) -> None:
        """Start `up` again after it was killed; its children end by themselves before."""
        with contextlib.suppress(KeyError):
            self.app._started.pop("up").wait(30)
        wait_for(lambda: not self._of_app(), 30, "the end of the app's processes")
        self.app.up()

    def _of_app(self) -> list[int]:
        """The processes of `up`'s roles, not what runs on the host."""
        return [
            pid
            for pid in self.app.leftovers()
            if any(word in processes.command_of(pid) for word in ROLE_WORDS.values())
        ]

    def _processes(self, *, far: bool) -> list[int]:
        if not far:
            return self.app.leftovers()
        account = self.lab.account
        return (
            processes.of_user(account.uid)
            if account.made
            else processes.with_variable("HOME", str(account.home))
        )


def _mount(folder: Path) -> bool:
    """Put a small file system of its own over an (almost empty) folder, if this user may."""
    if os.geteuid() != 0:
        return False
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DATA_BYTES},mode=700", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)
    return done.returncode == 0


def _unmount(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.2)
    subprocess.run(["umount", "-l", str(folder)], check=False)


def stop_and_go_on(pid: int, seconds: float) -> None:
    processes.send(pid, signal.SIGSTOP)
    time.sleep(seconds)
    processes.send(pid, signal.SIGCONT)
