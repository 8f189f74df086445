"""Twenty seconds of the storm (`python -m aitask.tests.chaos`)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aitask.tests.lab.tools import PROJECT, require_tool
from tasks.tests.e2e.world import embedded

pytestmark = [pytest.mark.server, pytest.mark.slow]


@embedded
@pytest.mark.long("twenty seconds of faults, and the time until all runs have ended")
@pytest.mark.timeout(600)
def test_twenty_seconds_of_faults_loses_and_doubles_nothing() -> None:
    for tool in ("claude", "codex", "tmux"):
        require_tool(tool)
    storm = [sys.executable, "-m", "aitask.tests.chaos", "--minutes", "0.3", "--seed", "12", "--runs", "6"]
    done = subprocess.run(storm, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
