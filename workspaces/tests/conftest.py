"""Fixtures for tests of hosts: this machine with its own home folder, and hosts with real SSH servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from pytest_django.fixtures import Settings

from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tmux import TmuxServer
from workspaces import hosts, tmux
from workspaces.hosts import registry


class Connect(Protocol):
    def __call__(self, alias: str = "cloud", *accepted_keys: str) -> hosts.HostConnection: ...


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    """Close all connections after each test."""
    yield
    hosts.close_all()
    registry._hosts.clear()
    tmux._without_earlier.clear()


@pytest.fixture
def tmux_server() -> Iterator[TmuxServer]:
    with TmuxServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder for the test on this machine."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return folder


@pytest.fixture
def local(home: Path, tmux_server: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> hosts.HostConnection:
    """This machine, with its own home and tmux server."""
    for name, value in tmux_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_DIR", "/nonexistent")  # the app may be started from a git hook
    return hosts.get(hosts.Address("local"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


@pytest.fixture
def connect() -> Connect:
    """Return a host of the current configuration, without earlier connections."""

    def make(alias: str = "cloud", *accepted_keys: str) -> hosts.HostConnection:
        address = hosts.Address("ssh", alias, accepted_keys=accepted_keys)
        old = registry._hosts.pop(address.key, None)
        if old:
            old.close()
        return hosts.get(address)

    return make


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[SshLab]:
    """Two sshds for all tests of a module; tests restore what they change."""
    with SshLab() as made:
        yield made


@pytest.fixture
def lab(shared_lab: SshLab, settings: Settings) -> Iterator[SshLab]:
    """The module's lab as this application's ssh configuration."""
    settings.SSH_CONFIG = str(shared_lab.config)
    config = shared_lab.config.read_text()
    yield shared_lab
    shared_lab.link.thaw()
    shared_lab.link.mend()
    shared_lab.config.write_text(config)
    shared_lab.trust_host_keys()
