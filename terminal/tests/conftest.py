"""Fixtures: a tmux server of the test's own with a hub at it, xterm.js, and a web server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from aitask.tests.lab.browser import Chromium, open_page
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tmux import TmuxServer
from terminal.tests.headless import Headless
from terminal.tests.hubs import LocalHub
from terminal.tests.page import UNUSED, Open
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


@pytest.fixture
def site(tmp_path: Path, tmux: TmuxServer) -> Iterator[Site]:
    """A web server with three tasks on this machine."""
    repo = make_repo(tmp_path / "repo")
    made = start_site(tmp_path / "data", tmux, repo=str(repo))
    yield made
    made.installation.end()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One web server for all tests here; each takes tasks of its own."""
    folder = tmp_path_factory.mktemp("desk")
    with TmuxServer() as tmux:
        repo = make_repo(folder / "repo")
        made = start_site(folder / "data", tmux, tasks=80, repo=str(repo))
        yield made
        made.installation.end()


@pytest.fixture
def task(desk: Site) -> int:
    return desk.tasks[next(UNUSED)]


@pytest.fixture
def open_one(desk: Site, chromium: Chromium) -> Open:
    """Opens a page of somebody who is logged in."""

    def opened(**options: Any) -> AbstractContextManager[Page]:
        return open_page(chromium, f"http://aitask.localhost:{desk.port}", **options)

    return opened
