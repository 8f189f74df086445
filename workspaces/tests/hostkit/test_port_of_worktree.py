"""Each worktree of a host has a port of its own, as long as it exists."""

from __future__ import annotations

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workspaces.hostkit import environment, ports
from workspaces.hostkit.git import places
from workspaces.hostkit.run.shell import shell_of


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def git_dirs(tmp_path: Path, count: int) -> list[str]:
    folders = [tmp_path / f"repo{number}" / ".git" for number in range(count)]
    for folder in folders:
        folder.mkdir(parents=True)
    return [str(folder) for folder in folders]


def test_worktrees_get_different_ports_also_at_the_same_time(tmp_path: Path) -> None:
    folders = git_dirs(tmp_path, 20)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ports.port_of, folders))
    assert len(set(found)) == 20
    assert list(map(ports.port_of, folders)) == found
    low, high = ports._ephemeral()
    assert all(ports.FIRST <= port <= ports.LAST and not low <= port <= high for port in found)


def test_a_port_that_is_in_use_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        monkeypatch.setattr(ports, "FIRST", port)
        monkeypatch.setattr(ports, "LAST", port)
        assert ports.port_of(git_dirs(tmp_path, 1)[0]) == 0


def test_the_port_of_a_removed_worktree_is_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = git_dirs(tmp_path, 2)
    port = ports.port_of(first)
    monkeypatch.setattr(ports, "FIRST", port)
    monkeypatch.setattr(ports, "LAST", port)
    assert ports.port_of(second) == 0
    shutil.rmtree(first)
    assert ports.port_of(second) == port


def test_runs_checks_and_shells_get_it_and_a_workspace_may_set_another(tmp_path: Path) -> None:
    folder = git_dirs(tmp_path, 1)[0]
    worktree = str(Path(folder).parent)
    places.record(worktree, folder, folder)
    port = str(ports.port_of(folder))
    spec = {"worktree": worktree, "environment": {}, "path": "/usr/bin"}
    assert environment.of_spec(spec, folder=tmp_path)["AITASK_PORT"] == port
    assert shell_of({"worktree": worktree, "environment": {}})[2]["AITASK_PORT"] == port
    spec["environment"] = {"AITASK_PORT": "8000"}
    assert environment.of_spec(spec, folder=tmp_path)["AITASK_PORT"] == "8000"
