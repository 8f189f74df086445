"""The whole application as a user starts it: `manage.py up`, or its processes one by one.

    with App() as app:
        app.start()
        app.api.get("/api/workspaces")
        app.kill("worker")

Everything runs in a clean environment (without the developer's variables) below one temporary folder: HOME,
`DATA_DIR`, tmux server. Every process that it starts, including agents, has a mark in its environment, by
which `leftovers()` finds it and `close()` kills it. The database starts as a copy of one with tables and an
administrator. If the tests run on PostgreSQL (`DATABASE_URL` is set), every App has its own database and
Redis there, and `start()` starts two of each process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from . import processes
from .client import ApiClient
from .databases import own_databases
from .link import free_port
from .login import WebLogin, log_in
from .ready import PASSWORD, USERNAME, ready_database
from .tmux import TmuxServer
from .tools import PROJECT, search_path
from .wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

Role = Literal["web", "worker", "follower"]
ROLE_WORDS = {"web": "aitask.web", "worker": "qcluster", "follower": "follow_runs"}
MARK = "AITASK_LAB_APP"
START_SECONDS = 60.0


class App:
    """One installation. `settings` are environment variables (`SSH_CONFIG`, …); `empty` means no tables.

    `project` is the source that it runs, such as a copy of ours with other files in it.
    """

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, empty: bool = False, project: Path = PROJECT
    ) -> None:
        self.project = project
        self.python = [sys.executable]
        self.folder = Path(tempfile.mkdtemp(prefix="aitask-app-"))
        self.home = self.folder / "home"
        self.data = self.folder / "data"
        self.home.mkdir()
        self.data.mkdir(mode=0o700)
        self._ready = None if empty else ready_database(os.environ.get("DATABASE_URL", ""))
        if self._ready:
            self._ready.copy_to(self.data)
        self.port = free_port()
        self.tmux = TmuxServer(self.home)
        self.mark = uuid.uuid4().hex
        self.environment = {
            "PATH": search_path(),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "SHELL": "/bin/bash",
            "DATA_DIR": str(self.data),
            MARK: self.mark,
            **self.tmux.environment,
        }
        self._databases = ExitStack()
        template = self._ready.name if self._ready else ""
        self.environment |= self._databases.enter_context(own_databases(template)) | dict(settings or {})
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """For the API and the health check."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def site(self) -> str:
        """For browsers and logins: the name that `up` prints."""
        return f"http://aitask.localhost:{self.port}"

    @property
    def log(self) -> str:
        """Everything that `up` or the single processes printed."""
        files = sorted(self.folder.glob("*.log"))
        return "".join(file.read_text(errors="replace") for file in files)

    def start(self) -> None:
        """Call `up()`, or `cluster()` if the tests run on a database server."""
        if "DATABASE_URL" in self.environment:
            self.cluster()
        else:
            self.up()

    def up(self) -> None:
        """Start everything with `manage.py up`, and wait until the site answers."""
        self._start("up", "manage.py", "up", "--port", str(self.port))
        self.wait_until_it_answers()

    def cluster(self, copies: int = 2) -> None:
        """Start several of each process on one database; `url` is that of the first web process."""
        for number in range(1, copies + 1):
            suffix = f"-{number}" if number > 1 else ""
            self.start_role("web", f"web{suffix}", self.port if number == 1 else free_port())
            self.start_role("worker", f"worker{suffix}")
            self.start_role("follower", f"follower{suffix}")
        self.wait_until_it_answers()

    def start_role(self, role: Role, name: str = "", port: int | None = None) -> None:
        """Start a single process. The database must have been migrated."""
        commands: dict[Role, list[str]] = {
            "web": ["-m", "aitask.web", "-v", "0", "-p", str(port or self.port), "aitask.asgi:application"],
            "worker": ["manage.py", "qcluster"],
            "follower": ["manage.py", "follow_runs"],
        }
        self._start(name or role, *commands[role])

    def add_web(self) -> int:
        """Start one more web process beside those that run, and return its port."""
        port = free_port()
        self.start_role("web", f"web-{port}", port)
        self.wait_until_it_answers(port)
        return port

    def manage(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run a command of `manage.py` and return its output."""
        done = subprocess.run(
            [*self.python, "manage.py", *arguments],
            cwd=self.project,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0 or not check, f"manage.py {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def wait_until_it_answers(self, port: int | None = None) -> None:
        def answers() -> bool:
            assert self._alive(), f"the application ended:\n{self.log[-3000:]}"
            return self._answers(port or self.port)

        wait_for(answers, START_SECONDS, lambda: f"an answer of {self.url}; {self.log[-3000:]}", every=0.1)

    @cached_property
    def api(self) -> ApiClient:
        """A client of the JSON API as the administrator."""
        assert self._ready, "an empty installation has no administrator"
        return ApiClient(self.url, self._ready.token)

    @cached_property
    def login(self) -> WebLogin:
        """A session of the administrator."""
        return log_in(self.site, USERNAME, PASSWORD)

    def show(self, page: Page, path: str = "/") -> None:
        """Open a page as the administrator."""
        self.login.give_to(page.context)
        page.goto(f"{self.site}{path}")

    def pid(self, role: str) -> int:
        """Return the process id of a role: a child of `up`, or the single process of this name."""
        if role in self._started:
            return self._started[role].pid
        children = processes.children_of(self._started["up"].pid)
        return next(pid for pid in children if ROLE_WORDS[role] in processes.command_of(pid))

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a role's process and return its id."""
        pid = self.pid(role)
        processes.send(pid, number)
        return pid

    def wait_for_restart(self, role: str, old_pid: int) -> None:
        """Wait until `up` has restarted this role."""

        def restarted() -> bool:
            try:
                return self.pid(role) != old_pid
            except StopIteration:
                return False

        wait_for(restarted, 30, f"a new {role}")

    def stop(self, timeout: float = 30) -> int:
        """Stop all processes like Ctrl-C does; return the exit status of the first one."""
        for process in self._started.values():
            process.terminate()
        codes = [process.wait(timeout) for process in self._started.values()]
        self._started.clear()
        return codes[0] if codes else 0

    def leftovers(self) -> list[int]:
        """Return every running process that this application has started."""
        return processes.with_variable(MARK, self.mark)

    def close(self) -> None:
        """Kill all processes and remove the data."""
        for process in self._started.values():
            process.kill()
            process.wait()
        self._started.clear()
        processes.end_all_with_variable(MARK, self.mark)
        self.tmux.close()
        self._databases.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.log[-10_000:])
        self.close()

    def _start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                [*self.python, *arguments],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _alive(self) -> bool:
        return all(process.poll() is None for process in self._started.values())

    def _answers(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False
