from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.lab.cli_home import CliHome, make_cli_home
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tools import require_tool
from workspaces.hostkit.serve.packed import compiled_name, with_bytecode
from workspaces.hostkit_build import build

from .client import Bench, Serve


@pytest.fixture(scope="session")
def sent_pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zipapp as the app sends it to hosts."""
    name, content = build()
    path = tmp_path_factory.mktemp("hostkit") / name
    path.write_bytes(content)
    return path


@pytest.fixture(scope="session")
def pyz(sent_pyz: Path) -> Path:
    """The host's copy with bytecode, from which it starts everything."""
    copy = compiled_name(sent_pyz)
    copy.write_bytes(with_bytecode(sent_pyz.read_bytes()))
    return copy


@pytest.fixture
def host_environment(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SHELL": "/bin/sh"}


@pytest.fixture
def serve(pyz: Path, host_environment: dict[str, str]) -> Iterator[Serve]:
    client = Serve(pyz, host_environment)
    yield client
    client.close()


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as server:
        yield server


@pytest.fixture
def cli_home(tmp_path: Path, endpoint: ScriptedEndpoint) -> CliHome:
    return make_cli_home(tmp_path / "cli-home", endpoint.url)


@pytest.fixture
def bench(tmp_path: Path, pyz: Path, cli_home: CliHome) -> Iterator[Bench]:
    """A host whose CLIs speak to the scripted endpoint."""
    for tool in ("tmux", "claude", "codex"):
        require_tool(tool)
    made = Bench(tmp_path / "host", pyz, cli_home.environment, make_repo(tmp_path / "repo"))
    yield made
    made.close()
