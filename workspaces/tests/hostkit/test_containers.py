"""Ports that containers publish: those of a container that was started from a task's worktree are the task's.

No test has a container engine. The program `docker` is one that prints what Docker 28 prints.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from workspaces.hostkit import containers
from workspaces.tests.hostkit.test_ports import Host, owner
from workspaces.tests.hostkit.test_ports import host as host
from workspaces.tests.hostkit.test_ports import started as started

FAKE_DOCKER = """#!/bin/sh
[ "$1" = ps ] && cat {answer}
"""


class Docker:
    """The program, and what it knows."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer = folder / "answer"
        self.program = folder / "docker"
        self.write(FAKE_DOCKER.format(answer=self.answer))
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(containers, "_not_before", 0.0)

    def write(self, script: str) -> None:
        self.program.write_text(script)
        self.program.chmod(0o755)

    def runs(self, ports: str, *, mounts: str = "", project: str = "", name: str = "shop-web-1") -> None:
        columns = (name, ports, mounts, project, "")
        with self.answer.open("a") as file:
            file.write("\t".join(map(json.dumps, columns)) + "\n")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Docker(folder, monkeypatch)


def test_a_container_of_a_compose_project_in_the_worktree_is_the_tasks(host: Host, docker: Docker) -> None:
    tree, port, other = host.worktree("tree"), host.listen(), host.listen()
    docker.runs(f"0.0.0.0:{port}->80/tcp, [::]:{port}->80/tcp, 9229/tcp", project=str(tree / "web"))
    docker.runs(f"0.0.0.0:{other}->80/tcp", project="/srv/elsewhere", name="other")
    (found,) = host.ask(a=owner(worktree=tree))["tasks"]["a"]
    assert found == {"port": port, "address": "127.0.0.1", "program": "shop-web-1"}


def test_a_container_with_a_folder_of_the_worktree_mounted_is_the_tasks(host: Host, docker: Docker) -> None:
    one, two, port = host.worktree("one"), host.worktree("two"), host.listen()
    docker.runs(f"127.0.0.1:{port - 1}-{port}->3000-3001/tcp", mounts=f"node_modules,{two}/src,/etc/hosts")
    assert host.ports(a=owner(worktree=one), b=owner(worktree=two)) == {"a": [], "b": [port]}


@pytest.mark.parametrize(
    ("ports", "mounts"),
    [
        ("192.168.1.5:{}->80/tcp", "{one}"),
        ("0.0.0.0:{}->80/udp", "{one}"),
        ("0.0.0.0:{}->80/tcp", "{one},{two}"),
        ("0.0.0.0:{}->80/tcp", "/"),
        ("0.0.0.0:{}->80/tcp", ""),
        ("0.0.0.0:99999-1->{}/tcp", "{one}"),
    ],
)
def test_a_container_that_may_be_anothers_is_nobodys(
    host: Host, docker: Docker, ports: str, mounts: str
) -> None:
    one, two, port = host.worktree("one"), host.worktree("two"), host.listen()
    docker.runs(ports.format(port), mounts=mounts.format(one=one, two=two))
    assert host.ports(a=owner(worktree=one), b=owner(worktree=two)) == {"a": [], "b": []}


def test_a_process_of_a_task_counts_more_than_a_container(host: Host, docker: Docker) -> None:
    one, two = host.worktree("one"), host.worktree("two")
    port = host.listen(cwd=one)
    docker.runs(f"0.0.0.0:{port}->80/tcp", project=str(two))
    assert host.ports(a=owner(worktree=one), b=owner(worktree=two)) == {"a": [port], "b": []}


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "no program", "#!/bin/sh\necho '[]'; echo x\n"])
def test_a_docker_that_fails_or_says_something_else_changes_nothing(
    host: Host, docker: Docker, script: str
) -> None:
    docker.write(script)
    tree = host.worktree("tree")
    port, _ = host.listen(cwd=tree), host.listen()
    assert host.ports(a=owner(worktree=tree)) == {"a": [port]}


def test_a_docker_that_does_not_answer_is_given_up_and_left_alone_for_a_while(
    host: Host, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "SECONDS", 0.2)
    docker.write(f"#!/bin/sh\necho x >> {docker.answer}\nexec sleep 300\n")
    host.listen()
    for _ in range(3):
        assert host.ports(a=owner(worktree=host.worktree("tree"))) == {"a": []}
    assert docker.answer.read_text() == "x\n"
