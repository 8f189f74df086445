"""Fixtures: a tmux server of the test's own with a hub at it, xterm.js, and a web server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.installation import migrated_database
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tmux import TmuxServer
from terminal.tests.headless import Headless
from terminal.tests.hubs import LocalHub
from terminal.tests.site import Site, start_site


@pytest.fixture
def tmux() -> Iterator[TmuxServer]:
    with TmuxServer() as server:
        yield server


@pytest.fixture
def hub(tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub in this process at the test's own tmux server."""
    for name, value in tmux.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TMUX", raising=False)
    made = LocalHub(tmux)
    yield made
    made.close()


@pytest.fixture(scope="session")
def headless() -> Iterator[Headless]:
    with Headless() as made:
        yield made


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def site(tmp_path: Path, empty_database: Path, tmux: TmuxServer) -> Iterator[Site]:
    """A web server with three tasks on this machine."""
    repo = make_repo(tmp_path / "repo")
    made = start_site(tmp_path / "data", empty_database, tmux, repo=str(repo))
    yield made
    made.installation.end()
