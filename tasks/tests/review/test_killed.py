"""A train whose worker is killed again and again: main only ever stands at commits that were checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.installation import ROOT, make_installation
from aitask.tests.lab.repos import git
from workspaces.tests.merging.repos import first_parent_subjects

KILLS = 25


@pytest.mark.slow
@pytest.mark.long("many kills, after each of which a new process goes on")
@pytest.mark.timeout(600)
def test_kills_leave_main_checked_and_the_train_ends(environment: dict[str, str], tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "data")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tasks.tests.review.killing",
            str(tmp_path / "trains"),
            str(KILLS),
            "20261122",
        ],
        cwd=ROOT,
        env={**environment, **installation.environment, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    trains = json.loads(done.stdout.splitlines()[-1])

    assert sum(train["kills"] for train in trains) >= KILLS
    for train in trains:
        check_train(train)


def check_train(seen: dict[str, Any]) -> None:
    repo = Path(seen["repo"])
    assert seen["unchecked"] == []
    assert seen["state"] == "finished", seen["reason"]
    good = [step for step in seen["steps"] if "good" in step["title"]]
    assert [step["state"] for step in good] == ["merged"] * 14
    assert {s["state"] for s in seen["steps"] if s not in good} == {"conflict", "check_failed"}
    history = first_parent_subjects(repo, seen["first"])
    assert history == [f"{step['title']} (task {step['task']})" for step in good]
    commits = git(repo, "rev-list", "--first-parent", f"{seen['first']}..main").split()
    assert set(commits) <= set(seen["checked"])
    assert git(repo, "fsck", "--no-dangling") == ""
    assert (repo / "part000/file00049.txt").read_text() == "a person was at it\n"
    assert git(repo, "status", "--porcelain", "-uno").split() == ["M", "part000/file00049.txt"]
