"""A web server of the test's own with one task per terminal, on this machine or behind a real sshd."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitask.tests.installation import Installation, make_installation
from aitask.tests.lab.link import free_port
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tmux import TmuxServer
from aitask.tests.lab.wait import wait_for
from terminal.tests.socket_client import TerminalClient

SEED = """
import json, sys
from django.contrib.auth.models import User, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.conf import settings
from tasks.models import Task
from workspaces.models import Installation, Workspace
given = json.loads(GIVEN)
user = User.objects.create_user("ann", password="correct horse")
user.user_permissions.add(Permission.objects.get(codename="use_terminal"))
workspace = Workspace.objects.create(owner=user, name="work", **given["workspace"])
tasks = [Task.objects.create(workspace=workspace, title=f"Task {n}", prompt="x", backend="codex")
         for n in range(given["tasks"])]
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
key = Installation.current_key()
marks = [task.mark for task in tasks]
tasks = [task.pk for task in tasks]
print(json.dumps({"cookie": cookie, "key": key, "tasks": tasks, "marks": marks, "workspace": workspace.pk}))
"""


@dataclass
class Site:
    """A running web server, the host of its tasks, and a login."""

    installation: Installation
    port: int
    cookie: str
    key: str
    tasks: list[int]
    marks: list[str]
    workspace: int
    host: TmuxServer | SshLab
    pid: int

    def open(self, task: int, *, cols: int = 80, rows: int = 24, **query: Any) -> TerminalClient:
        """A browser at the task's terminal."""
        return self.connect("tasks", task, cols=cols, rows=rows, **query)

    def connect(self, kind: str, pk: int, *, cols: int = 80, rows: int = 24, **query: Any) -> TerminalClient:
        """A browser at the terminal of a task or a workspace (`kind` is "tasks" or "workspaces")."""
        path = f"/api/{kind}/{pk}/terminal"
        return TerminalClient(self.port, path, self.cookie, cols=cols, rows=rows, **query)

    def owner(self, task: int) -> str:
        """The mark of a task's session."""
        return f"{self.key}/{self.marks[self.tasks.index(task)]}"

    def recorded(self, kind: str) -> Path:
        """The file on this machine that keeps what the first task's (or the workspace's) shell prints."""
        assert isinstance(self.host, TmuxServer)
        mark = self.marks[0] if kind == "tasks" else f"w{self.workspace}"
        return self.host.state / "aitask" / "shells" / f"{self.key}-{mark}" / "pane.raw"

    def tmux(self, *arguments: str, check: bool = True) -> str:
        """tmux on the host, as a person there would use it."""
        if isinstance(self.host, TmuxServer):
            return self.host.run(*arguments, check=check)
        server = ["-S", str(self.host.tmux_socket), "-f", "/dev/null"]
        done = self.host.ssh("cloud-direct", shlex.join(["tmux", "-u", *server, *arguments]))
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.rstrip("\n")

    def make_session(
        self, task: int, command: str = "bash --norc --noprofile", *, cols: int = 80, rows: int = 24
    ) -> str:
        """A task's session as a run makes it; returns its name."""
        name = f"aitask-{task}"
        size = ["-x", str(cols), "-y", str(rows)]
        limit = ["start-server", ";", "set-option", "-g", "history-limit", "50000", ";"]
        self.tmux(*limit, "new-session", "-d", "-s", name, *size, "env PS1='$ ' " + command)
        self.tmux("set-option", "-t", f"={name}:", "@aitask", self.owner(task))
        return name

    def make_sessions(self, tasks: Sequence[int]) -> None:
        """Sessions of many tasks at once."""
        commands = []
        for task in tasks:
            new = ["new-session", "-d", "-s", f"aitask-{task}", "env PS1='$ ' bash --norc --noprofile"]
            mark = ["set-option", "-t", f"=aitask-{task}:", "@aitask", self.owner(task)]
            commands += [*new, ";", *mark, ";"]
        self.tmux(*commands)

    def capture(self, task: int, *more: str) -> str:
        return self.tmux("capture-pane", "-p", *more, "-t", f"=aitask-{task}:")

    def get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": self.cookie, "Host": f"aitask.localhost:{self.port}"}
        connection.request("GET", path, headers=headers)
        return connection.getresponse()


def start_site(folder: Path, host: TmuxServer | SshLab, *, tasks: int = 3, repo: str = "") -> Site:
    """Start the web server on a fresh database with `tasks` tasks on the host."""
    installation = make_installation(folder)
    installation.settings |= _settings(host)
    given = {"tasks": tasks, "workspace": {**_workspace(host), "repo_path": repo or str(folder)}}
    done = installation.run("shell", "--no-imports", "-c", SEED.replace("GIVEN", repr(json.dumps(given))))
    assert done.returncode == 0, done.stderr
    seeded = json.loads(done.stdout.splitlines()[-1])
    port = free_port()
    process = start_web(installation, port)
    site = Site(installation=installation, port=port, host=host, pid=process.pid, **seeded)
    wait_for(lambda: _answers(site), 30, "the web server")
    return site


def start_web(installation: Installation, port: int) -> subprocess.Popen[bytes]:
    options = ["-v", "0", "-b", "127.0.0.1", "-p", str(port), "aitask.asgi:application"]
    return installation.start("-m", "aitask.web", *options)


def _settings(host: TmuxServer | SshLab) -> dict[str, str]:
    if isinstance(host, TmuxServer):
        return {**host.environment, "HOME": str(host.folder), "SHELL": "/bin/sh"}
    return {"SSH_CONFIG": str(host.config)}


def _workspace(host: TmuxServer | SshLab) -> dict[str, str]:
    if isinstance(host, TmuxServer):
        return {"kind": "local"}
    return {"kind": "ssh", "ssh_host": "cloud-direct"}


def _answers(site: Site) -> bool:
    try:
        return site.get("/healthz").status == 200
    except OSError:
        return False
