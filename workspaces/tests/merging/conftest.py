"""A separate home folder for git, tmux and hostkit, and tasks with branches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.lab.tmux import TmuxServer
from workspaces import hosts

IDENTITY = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada Lab",
    "GIT_AUTHOR_EMAIL": "ada@lab.invalid",
    "GIT_COMMITTER_NAME": "Ada Lab",
    "GIT_COMMITTER_EMAIL": "ada@lab.invalid",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This machine as a host, without the developer's settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    with TmuxServer() as server:
        own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "SHELL": "/bin/sh"}
        for name, value in {**own, **IDENTITY, **server.environment}.items():
            monkeypatch.setenv(name, value)
        for name in ("TMUX", "TMUX_PANE"):
            monkeypatch.delenv(name, raising=False)
        hosts.close_all()
        yield folder
        hosts.close_all()


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The same home folder, as the environment of processes."""
    return dict(os.environ)
