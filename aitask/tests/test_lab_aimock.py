"""One plain run of each real CLI against a mock server that others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.tests.lab.aimock import aimock, one_command
from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.headless import RunCli, run_claude, run_codex
from aitask.tests.lab.repos import make_repo

pytestmark = [pytest.mark.cli, pytest.mark.nightly]


@pytest.mark.parametrize(
    ("run", "tool", "argument"),
    [(run_claude, "Bash", "command"), (run_codex, "exec_command", "cmd")],
    ids=["claude", "codex"],
)
def test_a_file_is_made(run: RunCli, tool: str, argument: str, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    fixtures = one_command("make hello.txt", tool, argument, "echo hello > hello.txt", "It is made.")
    with aimock(tmp_path, fixtures) as url:
        outcome = run(make_cli_home(tmp_path / "home", url), repo, "Please make hello.txt")
    assert outcome.returncode == 0
    assert outcome.text == "It is made."
    assert (repo / "hello.txt").read_text() == "hello\n"
