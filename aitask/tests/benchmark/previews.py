"""A preview of an SSH host's program, measured against `ssh -L` to the same port."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from aitask.tests.benchmark.idle import megabytes
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab import processes
from aitask.tests.lab.link import free_port
from aitask.tests.lab.tools import require_tool
from aitask.tests.lab.wait import wait_for
from tasks.tests.previews.scene import Scene

ALIAS = "cloud-direct"
AT_ONCE = 20
LOADS = (("4 MB each", 4_000_000, 1), ("20 kB each", 20_000, 20))
"""Sizes of answers, and how often each connection asks for one."""
ROUNDS, ASKED, ECHOES, OPEN = 7, 100, 400, 50
FRAME = b"\x82\x94\0\0\0\0" + b"x" * 20
"""A short message of a WebSocket. The program sends its bytes back as they are."""


@dataclass(frozen=True)
class Way:
    """A way to the program: the port to connect to, and what to say there."""

    port: int
    host: str
    cookie: str = ""

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def head(self, target: str, *more: str) -> bytes:
        lines = [f"GET {target} HTTP/1.1", f"Host: {self.host}", f"Origin: http://{self.host}", *more]
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        return "\r\n".join([*lines, "", ""]).encode()

    def web_socket(self) -> socket.socket:
        """Return an open WebSocket."""
        made = self.connect()
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        made.sendall(self.head("/ws", *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += made.recv(4096)
        assert b" 101 " in head, head
        return made


def measure() -> Iterator[Row]:
    with Scene(ssh=True, alias=ALIAS) as scene:
        port = scene.start()
        visitor = scene.visit(port)
        with forwarded(scene, port) as local:
            preview = Way(scene.app.port, visitor.host, visitor.cookie)
            bare = Way(local, f"localhost:{port}")
            first, floor = in_turn(first_bytes, preview, bare)
            yield Row("previews", "first byte beyond ssh -L", first - floor, "ms", most=3)
            for name, size, times in LOADS:
                rate, floor = in_turn(partial(throughputs, size=size, times=times), preview, bare)
                yield Row("previews", f"{AT_ONCE} at once, {name}", rate, "MB/s", floor, at_least=0.7)
            echo, floor = in_turn(echo_times, preview, bare)
            yield Row("previews", "WebSocket echo", echo, "ms", floor, most=1.5)
        yield memory(scene, port)


@contextmanager
def forwarded(scene: Scene, port: int) -> Iterator[int]:
    """Forward a local port to the program's by OpenSSH, and return it."""
    assert scene.lab
    local = free_port()
    options = ["-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes"]
    ssh = subprocess.Popen(
        [require_tool("ssh"), "-F", str(scene.lab.config), *options, ALIAS],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(local), 30, "ssh -L")
        yield local
    finally:
        processes.end(ssh)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def in_turn(measured: Callable[[Way], list[float]], *ways: Way) -> list[float]:
    """Medians for each way, of rounds that alternate between them."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, figures in zip(ways, found, strict=True):
            figures += measured(way)
    return [statistics.median(figures) for figures in found]


def first_bytes(way: Way) -> list[float]:
    """Milliseconds from a request to the first byte of its answer, on one connection."""
    times = []
    with way.connect() as link:
        for _ in range(ASKED // ROUNDS):
            began = time.perf_counter()
            link.sendall(way.head("/"))
            head = link.recv(65536)
            times.append(1000 * (time.perf_counter() - began))
            wait_until_read(link, head)
    return times


def throughputs(way: Way, size: int, times: int) -> list[float]:
    """Megabytes a second of many connections that each ask for one answer after the other."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: ask(way, size, times), range(AT_ONCE)))
        return [AT_ONCE * times * size / 1e6 / (time.perf_counter() - began)]


def ask(way: Way, size: int, times: int) -> None:
    with way.connect() as link:
        for _ in range(times):
            link.sendall(way.head(f"/large?{size}"))
            wait_until_read(link)


def wait_until_read(link: socket.socket, head: bytes = b"") -> None:
    """Read an answer whose length is known."""
    while b"\r\n\r\n" not in head:
        head += link.recv(65536)
    head, _, body = head.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(body)
    buffer = bytearray(1 << 18)
    while left:
        left -= link.recv_into(buffer)


def echo_times(way: Way) -> list[float]:
    """Milliseconds of messages through an open WebSocket and back."""
    times = []
    with way.web_socket() as link:
        for _ in range(ECHOES // ROUNDS):
            began = time.perf_counter()
            link.sendall(FRAME)
            assert link.recv(4096) == FRAME
            times.append(1000 * (time.perf_counter() - began))
    return times


def memory(scene: Scene, port: int) -> Row:
    """Megabytes that the web process takes for previews with an open WebSocket each."""
    web = scene.app.pid("web")
    with ExitStack() as sockets:
        before = megabytes(web)
        for _ in range(OPEN):
            visitor = scene.visit(port)
            sockets.enter_context(Way(scene.app.port, visitor.host, visitor.cookie).web_socket())
        return Row("previews", f"web process with {OPEN} open", megabytes(web) - before, "MB", most=20)
