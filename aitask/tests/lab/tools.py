"""Finds the programs that the tests use, and reports missing ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

PROJECT = Path(__file__).resolve().parents[3]
OLDEST_CLIS = PROJECT / ".tools/oldest/node_modules/.bin"
"""The oldest supported CLIs. Tests use them instead of the newest if $AITASK_TEST_TOOLS is this folder."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def tools_path() -> list[str]:
    """Return the folders with the npm tools: $AITASK_TEST_TOOLS if it is set, then the project's `.tools`."""
    folders = [os.environ.get("AITASK_TEST_TOOLS", ""), str(PROJECT / ".tools/node_modules/.bin")]
    return [folder for folder in folders if folder and Path(folder).is_dir()]


def version_of(cli: str) -> str:
    """Return the version of a CLI that `.ci/versions` names: CLAUDE, CODEX, OLDEST_CLAUDE or OLDEST_CODEX."""
    lines = (PROJECT / ".ci/versions").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)[cli]


def search_path() -> str:
    """Return the PATH of hosts and CLIs in tests: the tools, then the system's folders."""
    elsewhere = [
        str(Path(found).parent)
        for name in ("python3", "git", "tmux", "node")
        if not shutil.which(name, path=SYSTEM_PATH) and (found := shutil.which(name))
    ]
    return ":".join([*tools_path(), SYSTEM_PATH, *dict.fromkeys(elsewhere)])


def find_tool(name: str) -> str | None:
    return shutil.which(name, path=search_path()) or shutil.which(name)


def require_tool(*names: str) -> str:
    """Return the path of a program, the first of `names` that is installed.

    If there is none, skip the test, but fail it with CI=true.
    """
    path = next(filter(None, map(find_tool, names)), None)
    if path is None:
        missing(f"{' or '.join(names)} is not installed; `bash .ci/test` installs it")
    return path


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason; fail it in CI, where everything must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
