"""Which listening ports belong to which task, with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.link import free_port
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit.processes import MARKER
from workspaces.hostkit.serve import ports as verb
from workspaces.hostkit.serve.requests import Request
from workspaces.hostkit.sockets import holders, listeners

LISTEN = """
import socket, sys, time
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
made = socket.socket(family)
if family == socket.AF_INET6: made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
made.bind((sys.argv[1], int(sys.argv[2]))); made.listen(); time.sleep(300)
"""
DAEMON = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir('/')
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    made: list[subprocess.Popen[bytes]] = []
    yield made
    for process in made:
        processes.end(process)


class Host:
    """Starts programs, and asks for the ports of tasks."""

    def __init__(self, folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
        self.folder = folder
        self.started = started

    def listen(self, *argv: str, address: str = "127.0.0.1", port: int = 0, **options: Any) -> int:
        port = port or free_port()
        env = {"PATH": os.environ["PATH"], **options.pop("env", {})}
        words = [sys.executable, *argv, "-c", LISTEN, address, str(port)]
        cwd = options.pop("cwd", "/")
        process = subprocess.Popen(words, env=env, cwd=cwd, **options)
        self.started.append(process)
        wait_for(lambda: port in [each.port for each in listeners()], 30, "a program listens")
        return port

    def worktree(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True, parents=True)
        return path

    def ask(self, wait: float = 0, known: str = "", **owners: Any) -> Any:
        request = Request(1, "ports", {}, lambda *_: None)
        return verb.ports({"tasks": owners, "wait": wait, "known": known}, request)

    def ports(self, **owners: Any) -> dict[str, list[int]]:
        found = self.ask(**owners)["tasks"]
        return {name: [each["port"] for each in ports] for name, ports in found.items()}


@pytest.fixture
def host(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> Host:
    return Host(tmp_path, started)


def owner(*folders: str, worktree: Path | str = "") -> dict[str, Any]:
    return {"folders": list(folders), "worktree": str(worktree)}


def test_a_program_in_the_worktree_is_the_tasks_and_others_are_not(host: Host) -> None:
    one, two = host.worktree("one"), host.worktree("two")
    inner = host.worktree("one/frontend")
    first, second = host.listen(cwd=one), host.listen(cwd=inner)
    other, elsewhere = host.listen(cwd=two), host.listen()
    host.worktree("one-more")
    neighbour = host.listen(cwd=host.folder / "one-more")
    found = host.ports(a=owner(worktree=one), b=owner(worktree=two))
    assert found == {"a": sorted([first, second]), "b": [other]}
    assert {elsewhere, neighbour}.isdisjoint(found["a"] + found["b"])


def test_a_nested_worktree_is_another_tasks(host: Host) -> None:
    outer, inner = host.worktree("outer"), host.worktree("outer/inner")
    port = host.listen(cwd=inner)
    assert host.ports(a=owner(worktree=outer), b=owner(worktree=inner)) == {"a": [], "b": [port]}


def test_the_marker_of_a_run_counts_more_than_the_folder(host: Host) -> None:
    """An agent that works in the worktree of another task."""
    one = host.worktree("one")
    port = host.listen(cwd=one, env={MARKER: "/state/runs/2"})
    assert host.ports(a=owner("/state/runs/1", worktree=one), b=owner("/state/runs/2")) == {
        "a": [],
        "b": [port],
    }
    assert host.ports(a=owner("/state/runs/1", worktree=one)) == {"a": []}
    assert host.ports(a=owner("/state/runs/2")) == {"a": [port]}


def test_a_daemon_keeps_the_marker(host: Host) -> None:
    run, port = str(host.folder / "run"), free_port()
    started = [sys.executable, "-c", DAEMON, "-c", LISTEN, "127.0.0.1", str(port)]
    subprocess.run(started, env={MARKER: run}, check=True, cwd="/")
    wait_for(lambda: host.ports(a=owner(run)) == {"a": [port]}, 30, "the daemon")
    for pids in holders({each.inode for each in listeners() if each.port == port}).values():
        for pid in pids:
            processes.send(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("127.0.0.2", "127.0.0.2"),
    ],
)
def test_all_loopback_addresses_are_found(host: Host, address: str, reached: str) -> None:
    if ":" in address and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    one = host.worktree("one")
    try:
        port = host.listen(address=address, cwd=one)
    except AssertionError:
        pytest.skip("this machine has no IPv6")
    (found,) = host.ask(a=owner(worktree=one))["tasks"]["a"]
    assert (found["port"], found["address"]) == (port, reached)


def test_one_port_of_two_tasks_is_told_by_its_address(host: Host) -> None:
    one, two = host.worktree("one"), host.worktree("two")
    port = host.listen(cwd=one, address="127.0.0.1")
    host.listen(cwd=two, address="127.0.0.3", port=port)
    owners: Any = {"a": owner(worktree=one), "b": owner(worktree=two)}
    wait_for(lambda: host.ports(**owners) == {"a": [port], "b": [port]}, 30, "both listen")
    found = host.ask(**owners)["tasks"]
    assert [each["address"] for each in found["a"]] == ["127.0.0.1"]
    assert [each["address"] for each in found["b"]] == ["127.0.0.3"]


def test_neither_unix_sockets_nor_this_process_are_offered(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever `serve` and its parents listen on is the app's own."""
    monkeypatch.chdir(host.worktree("own"))
    with ExitStack() as stack:
        one = stack.enter_context(closing(socket.socket()))
        one.bind(("127.0.0.1", 0))
        one.listen()
        other = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        other.bind(str(host.folder / "s"))
        other.listen()
        assert host.ports(a=owner(worktree=Path.cwd())) == {"a": []}


def test_the_answer_waits_for_a_change(host: Host) -> None:
    one = host.worktree("one")
    before = host.ask(a=owner(worktree=one))
    began = time.monotonic()
    same = host.ask(wait=1.5, known=before["digest"], a=owner(worktree=one))
    assert time.monotonic() - began >= 1.4
    assert same["digest"] == before["digest"]
    port = host.listen(cwd=one)
    changed = host.ask(wait=60, known=before["digest"], a=owner(worktree=one))
    assert [each["port"] for each in changed["tasks"]["a"]] == [port]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/usr/bin/node", "/srv/node_modules/.bin/vite", "--port", "1"], "vite"),
        (["python3.11", "-u", "manage.py", "runserver"], "manage.py"),
        (["python3", "-m", "http.server"], "http.server"),
        (["next-server (v15)"], "next-server"),
        (["/usr/sbin/nginx"], "nginx"),
        (["node"], "node"),
        ([""], ""),
    ],
)
def test_a_program_has_a_short_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str], name: str
) -> None:
    file = tmp_path / "cmdline"
    file.write_bytes(b"\0".join(word.encode() for word in command) + b"\0")
    monkeypatch.setattr(verb, "Path", lambda _: file)
    assert verb.program_of(1) == name
