"""Other ways to the same tmux session: by hand, and through other web terminals. For the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from aitask.tests.lab.link import free_port
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import find_tool, search_path
from aitask.tests.lab.wait import wait_for
from terminal.tests.site import Site
from terminal.tests.socket_client import TEXT, RawSocket, TerminalClient

TERMINADO = """
import asyncio, json, sys
import tornado.web
from terminado import TermSocket, UniqueTermManager
async def main():
    manager = UniqueTermManager(shell_command=json.loads(sys.argv[2]))
    app = tornado.web.Application([(r"/ws", TermSocket, {"term_manager": manager})])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Peer(Protocol):
    """A terminal that shows a session."""

    name: str

    def type(self, data: bytes) -> None: ...

    def read(self, timeout: float) -> bytes:
        """What came; nothing when nothing did in time."""

    def close(self) -> None: ...


class ByHand:
    """`ssh -tt HOST tmux attach` in a pseudo terminal: the floor."""

    name = "ssh -tt + tmux attach"

    def __init__(self, argv: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, {"PATH": search_path(), "TERM": "xterm-256color", "LANG": "C.UTF-8"})

    def type(self, data: bytes) -> None:
        os.write(self.fd, data)

    def read(self, timeout: float) -> bytes:
        if not select.select([self.fd], [], [], timeout)[0]:
            return b""
        try:
            return os.read(self.fd, 1 << 20)
        except OSError:
            return b""

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)  # what was started by nohup ignores a hangup
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Ours:
    """This project's socket, acknowledged as its page does."""

    name = "ours"

    def __init__(self, client: TerminalClient) -> None:
        self.client = client

    def type(self, data: bytes) -> None:
        self.client.type(data)

    def read(self, timeout: float) -> bytes:
        try:
            frame = self.client.take(timeout)
        except TimeoutError:
            return b""
        self.client.frames.clear()
        return frame if isinstance(frame, bytes) else b""

    def close(self) -> None:
        self.client.close()


class Terminado:
    """JupyterLab's way: JSON text frames, one process per socket."""

    name = "terminado"

    def __init__(self, port: int) -> None:
        self.socket = RawSocket(port, "/ws", {"Origin": f"http://127.0.0.1:{port}"})
        self.socket.send(TEXT, json.dumps(["set_size", 24, 80, 0, 0]).encode())

    def type(self, data: bytes) -> None:
        self.socket.send(TEXT, json.dumps(["stdin", data.decode()]).encode())

    def read(self, timeout: float) -> bytes:
        try:
            words = json.loads(self.socket.receive(timeout)[1])
        except TimeoutError:
            return b""
        return words[1].encode() if words[0] == "stdout" else b""

    def close(self) -> None:
        self.socket.close()


class Wetty:
    """socket.io over a WebSocket, with the acknowledgements of its own client."""

    name = "wetty"

    def __init__(self, port: int) -> None:
        path = "/socket.io/?EIO=4&transport=websocket"
        self.socket = RawSocket(port, path, {"Origin": f"http://127.0.0.1:{port}"})
        self.socket.send(TEXT, b"40")
        while not self.socket.receive()[1].startswith(b"40"):
            pass
        self._emit("resize", {"cols": 80, "rows": 24})

    def _emit(self, *words: object) -> None:
        self.socket.send(TEXT, b"42" + json.dumps(words).encode())

    def type(self, data: bytes) -> None:
        self._emit("input", data.decode())

    def read(self, timeout: float) -> bytes:
        try:
            _, payload = self.socket.receive(timeout)
        except TimeoutError:
            return b""
        if payload == b"2":
            self.socket.send(TEXT, b"3")
        if not payload.startswith(b"42"):
            return b""
        words = json.loads(payload[2:])
        if words[0] != "data":
            return b""
        self._emit("commit", len(words[1]))
        return str(words[1]).encode()

    def close(self) -> None:
        self.socket.close()


def attach_argv(site: Site, task: int) -> list[str]:
    """What a person types to get to the session."""
    assert isinstance(site.host, SshLab)
    target = ["tmux", "-u", "-S", str(site.host.tmux_socket), "attach", "-t", f"aitask-{task}"]
    return ["ssh", "-tt", "-F", str(site.host.config), "cloud-direct", *target]


@contextlib.contextmanager
def running(argv: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """A server of a peer, ended with all that it started."""
    process = subprocess.Popen(
        argv,
        env={"PATH": search_path(), "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: _listens(port), 30, argv[0])
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def terminado(argv: list[str]) -> Iterator[Terminado | None]:
    """None where it is not installed."""
    try:
        import terminado as _  # noqa: F401
    except ImportError:
        yield None
        return
    port = free_port()
    with running([sys.executable, "-c", TERMINADO, str(port), json.dumps(argv)], port, {}):
        yield Terminado(port)


@contextlib.contextmanager
def wetty(argv: list[str], folder: Path) -> Iterator[Wetty | None]:
    """None where it is not installed."""
    program = find_tool("wetty")
    if program is None:
        yield None
        return
    port = free_port()
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--command", " ".join(argv)]
    with running(command, port, {"HOME": str(folder)}):
        yield Wetty(port)
