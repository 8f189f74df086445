"""An app with a task whose program listens on a port, on this machine or behind a real sshd."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aitask.tests.lab import processes
from aitask.tests.lab.app import App
from aitask.tests.lab.link import free_port, is_free
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import require_tool, search_path
from aitask.tests.lab.wait import wait_for

PROGRAM = Path(__file__).with_name("program.py")


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Visitor:
    """A browser that has opened the preview of a port."""

    scene: Scene
    host: str
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def get(self, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        cookies = "; ".join(filter(None, [self.cookie, named.pop("Cookie", "")]))
        given = {"Host": self.host, **({"Cookie": cookies} if cookies else {}), **named}
        connection = http.client.HTTPConnection("127.0.0.1", self.scene.app.port, timeout=60)
        try:
            connection.request(method, path, body, given, encode_chunked=hasattr(body, "__next__"))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def socket(self, path: str = "/ws", origin: str = "", **headers: str) -> socket.socket:
        """Ask for a WebSocket; the answer is not read."""
        made = socket.create_connection(("127.0.0.1", self.scene.app.port), timeout=60)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {self.host}",
            f"Origin: {origin or self.origin}",
            f"Cookie: {self.cookie}",
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        made.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return made


@dataclass
class Scene:
    """`with Scene() as scene`, or with `ssh=True`, and the alias of the host (`aitask/tests/lab/sshd.py`)."""

    ssh: bool = False
    alias: str = "cloud"
    settings: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._programs: dict[int, subprocess.Popen[bytes]] = {}
        self.lab = self._stack.enter_context(SshLab()) if self.ssh else None
        more = {"SSH_CONFIG": str(self.lab.config)} if self.lab else {}
        self.app = self._stack.enter_context(App(self.settings | more))
        self.app.start_role("web")
        self.app.wait_until_it_answers()
        repo = self.repo = self.lab.make_repo() if self.lab else make_repo(self.app.folder / "repo")
        fields = {"kind": "ssh", "ssh_host": self.alias} if self.lab else {}
        self.workspace = self.app.api.add_workspace("previews", str(repo), **fields)["id"]
        self.worktree = repo.parent / "worktree"
        self.worktree.mkdir()
        shutil.copy(PROGRAM, self.worktree)
        if self.lab:
            self.lab.account.own(self.worktree)
        self.task = self.add_task(self.worktree)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for port in list(self._programs):
            self.stop(port)
        self._stack.close()

    def add_task(self, worktree: Path) -> int:
        fields = {"workspace": self.workspace, "title": "Shop", "prompt": "x", "backend": "codex"}
        task = int(self.app.api.post("/api/tasks", fields)["id"])
        self.do(f"Task.objects.filter(pk={task}).update(worktree_path={str(worktree)!r}, status='review')")
        return task

    def do(self, code: str) -> str:
        return self.app.manage("shell", "-c", f"from tasks.models import Task\n{code}")

    def start(self, port: int = 0, command: str = "", folder: Path | None = None) -> int:
        """Start a program, and wait until its port is the task's, or the checkout's if it works there.

        `{port}` in the command is the port. That of a program in another folder is nobody's.
        """
        port = port or free_port()
        if port in self._programs:
            self.stop(port)
        wait_for(lambda: is_free(port), 60, f"the end of the program on port {port}")
        command = (command or "python3 program.py {port}").format(port=port)
        folder = folder or self.worktree
        if self.lab:
            ssh = [require_tool("ssh"), "-F", str(self.lab.config), "-tt", "cloud-direct"]
            argv = [*ssh, f"cd {folder} && exec {command}"]
            environment = {"PATH": search_path(), "HOME": str(self.lab.folder)}
        else:
            argv = ["bash", "-c", f"exec {command.replace('python3', sys.executable, 1)}"]
            environment = self.app.environment
        self._programs[port] = subprocess.Popen(
            argv,
            cwd="/" if self.lab else folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if folder == self.worktree:
            wait_for(lambda: port in self.ports(), 60, f"port {port} of the task")
        elif folder == self.repo:
            wait_for(lambda: port in self.ports_of_checkout(), 60, f"port {port} of the checkout")
        return port

    def stop(self, port: int) -> None:
        processes.end(self._programs.pop(port))

    def ports(self) -> list[int]:
        return [each["port"] for each in self.app.api.get(f"/api/tasks/{self.task}/ports")]

    def ports_of_checkout(self) -> list[int]:
        return [each["port"] for each in self.app.api.get(f"/api/workspaces/{self.workspace}/ports")]

    def open(self, port: int) -> str:
        """The address that opens a preview."""
        return str(self.app.api.post(f"/api/tasks/{self.task}/ports/{port}/open")["url"])

    def visit(self, port: int) -> Visitor:
        """Open a preview, as a browser does."""
        return self.visit_at(self.open(port))

    def visit_at(self, url: str) -> Visitor:
        address = urlsplit(url)
        visitor = Visitor(self, address.netloc)
        answer = visitor.get(address.path)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        visitor.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return visitor
