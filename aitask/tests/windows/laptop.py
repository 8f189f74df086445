"""The app on a Windows laptop, whose user has an alias for the lab's server in `~/.ssh/config`."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO

from aitask.tests.lab import processes
from aitask.tests.lab.app import ROLE_WORDS, App
from aitask.tests.lab.client import ApiClient
from aitask.tests.lab.login import new_visitor
from aitask.tests.lab.ready import PASSWORD, USERNAME
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for

from .computer import Computer, windows_path

CONFIG = """\
# Windows writes a byte order mark and CRLF
Host cloud
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile ~\\.ssh\\id_cloud
"""
SETUP_LINK = re.compile(r"/setup/\S+")
NEW_TOKEN = re.compile(r'id="made">([^<]+)')
CTRL_C = signal.SIGINT
"""In Wine, SIGINT is Ctrl-C for one process."""


class Laptop(App):
    """An installation on `computer`. All its processes share a console, and their output goes to a pipe."""

    def __init__(self, computer: Computer, server: SshLab) -> None:
        super().__init__(empty=True)
        self.python = computer.python()
        self.computer = computer
        self.environment |= computer.environment | {"DATA_DIR": windows_path(self.data)}
        # A program of Windows that waits: without any, Wine ends, and the next start boots it again.
        command = ["wine", "cmd"]
        pipe = subprocess.PIPE
        self._running = subprocess.Popen(command, env=self.environment, stdin=pipe, stdout=pipe)
        self._write_ssh_folder(server)

    def _write_ssh_folder(self, server: SshLab) -> None:
        folder = self.computer.home / ".ssh"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        shutil.copy(server.key, folder / "id_cloud")
        shutil.copy(server.known_hosts, folder / "known_hosts")
        config = CONFIG.format(port=server.link.port, user=server.account.name)
        (folder / "config").write_text(config, encoding="utf-8-sig", newline="\r\n")

    def set_up(self) -> None:
        """Create the administrator by the link that `up` has printed, and an API token."""
        wait_for(lambda: SETUP_LINK.search(self.log), 10, "the set-up link")
        link = SETUP_LINK.findall(self.log)[-1]
        self.login = new_visitor(self.site)
        self.login.submit(link, username=USERNAME, password1=PASSWORD, password2=PASSWORD)
        _, page = self.login.submit("/account/tokens", name="script", days="7", password=PASSWORD)
        token = NEW_TOKEN.search(page)
        assert token, "the page shows no new token"
        self.api = ApiClient(self.url, token[1])

    def close(self) -> None:
        self._running.communicate()
        super().close()

    def pid(self, role: str) -> int:
        """Return the id that Linux gives to the process of a role. Wine does not tell who started it."""
        if role in self._started:
            return self._started[role].pid
        found = [pid for pid in self.leftovers() if ROLE_WORDS[role] in processes.command_of(pid)]
        return next(iter(found))

    def press_ctrl_c(self, timeout: float = 30) -> int:
        """Press Ctrl-C in the window of `up`, and return its exit status."""
        process = self._started.pop("up")
        process.send_signal(CTRL_C)
        return process.wait(timeout)

    def processes(self) -> list[int]:
        """Return all its processes, without Wine's own ones."""
        return [pid for pid in self.leftovers() if "python" in processes.command_of(pid).lower()]

    def memory(self) -> int:
        """Return the MiB that all its processes use, where each part of shared memory counts once."""
        return sum(map(processes.proportional_memory, self.processes())) >> 20

    def _start(self, name: str, *arguments: str) -> None:
        main, terminal = pty.openpty()
        process = subprocess.Popen(
            [*self.python, *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(terminal)
        assert process.stdout
        arguments_of_copy = [process.stdout, self.folder / f"{name}.log", main]
        threading.Thread(target=copy, args=arguments_of_copy, daemon=True).start()
        self._started[name] = process


def copy(source: IO[bytes], log: Path, terminal: int) -> None:
    """Write what a program prints to a file, and keep its terminal open until it ends."""
    with source, log.open("ab", buffering=0) as out:
        while chunk := os.read(source.fileno(), 65536):
            out.write(chunk)
    os.close(terminal)
