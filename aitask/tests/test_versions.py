"""The CLI versions that the tests use are named in one place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from aitask.tests.lab.tools import OLDEST_CLIS, PROJECT, require_tool, version_of


def test_the_readme_tells_which_versions_are_tested() -> None:
    readme = " ".join((PROJECT / "README.md").read_text().split())
    for name, words in (("CLAUDE", "Claude Code"), ("CODEX", "Codex")):
        assert f"{words} {version_of(name)}" in readme
        assert f"{words} {version_of('OLDEST_' + name)}" in readme


@pytest.mark.cli
@pytest.mark.oldest_cli
@pytest.mark.parametrize("name", ["claude", "codex"])
def test_the_tests_use_the_versions_that_are_named(name: str) -> None:
    is_oldest = Path(os.environ.get("AITASK_TEST_TOOLS", "")) == OLDEST_CLIS
    named = version_of(("OLDEST_" if is_oldest else "") + name.upper())
    answer = subprocess.run([require_tool(name), "--version"], capture_output=True, text=True, check=True)
    assert named in answer.stdout.split()
