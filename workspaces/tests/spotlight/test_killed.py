"""Whenever the process is killed, the checkout can be put back byte for byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from workspaces.tests.spotlight.scene import BRANCHES, Scene

pytestmark = [pytest.mark.one_database, pytest.mark.server]
MOMENTS = 10


def tip(scene: Scene, branch: str) -> str:
    return scene.git("rev-parse", branch).strip()


def test_five_tasks_and_back_leave_the_checkout_as_it_was(scene: Scene) -> None:
    before = scene.snapshot()
    for branch in BRANCHES:
        scene.show(branch)
        assert shown(scene, branch) == in_branch(scene, branch)
    scene.back()
    assert scene.snapshot() == before
    assert not (scene.git_dir / "aitask" / "spotlight.json").exists()


def shown(scene: Scene, branch: str) -> dict[str, str]:
    """Return the objects of the files that the branch changes, as git would add them."""
    found = {}
    for name in changed_by(scene, branch):
        path = scene.top / name
        if path.is_symlink():
            found[name] = scene.git("hash-object", "--stdin", stdin=str(path.readlink())).strip()
        elif path.is_file():
            found[name] = scene.git("hash-object", "--", name).strip()
    return found


def in_branch(scene: Scene, branch: str) -> dict[str, str]:
    records = scene.git("ls-tree", "-r", "-z", branch).split("\0")[:-1]
    objects = {record.partition("\t")[2]: record.split()[2] for record in records}
    return {name: objects[name] for name in changed_by(scene, branch) if name in objects}


def changed_by(scene: Scene, branch: str) -> list[str]:
    return scene.git("diff", "--name-only", "--no-renames", "-z", "main", branch).split("\0")[:-1]


@pytest.mark.parametrize("branch", ["kinds", "clash"])
def test_killed_before_any_change_of_a_file(scene: Scene, branch: str) -> None:
    """Each task is shown again and again, killed one change later each time, and put back."""
    before = scene.snapshot()
    commit = tip(scene, branch)
    number, ended = 0, -signal.SIGKILL
    while ended == -signal.SIGKILL:
        number += 1
        ended = scene.run("show", commit, kill_at=number)
        scene.spotlight().back()
        assert scene.snapshot() == before, f"killed before change {number}"
    assert number > 3


@pytest.mark.parametrize("branch", ["kinds", "clash"])
def test_killed_on_the_way_back(scene: Scene, branch: str) -> None:
    before = scene.snapshot()
    commit = tip(scene, branch)
    number, ended = 0, -signal.SIGKILL
    while ended == -signal.SIGKILL:
        number += 1
        scene.show(commit)
        ended = scene.run("back", kill_at=number)
        scene.spotlight().back()
        assert scene.snapshot() == before, f"killed before change {number}"
    assert number > 3


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_ten_random_moments_between_five_tasks(scene: Scene, seed: int) -> None:
    before = scene.snapshot()
    dice = random.Random(seed)
    for moment in range(MOMENTS):
        branch = BRANCHES[moment % len(BRANCHES)]
        verb = ["back"] if dice.random() < 0.3 else ["show", tip(scene, branch)]
        argv = [sys.executable, "-m", "workspaces.tests.spotlight.killed", "0", str(scene.top), *verb]
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.0, 0.6))
        process.kill()
        process.wait()
    for branch in BRANCHES:
        scene.show(branch)
    scene.back()
    assert scene.snapshot() == before


def test_what_is_not_committed_is_in_a_rescue_ref_before_anything_changes(scene: Scene) -> None:
    scene.show("clash")
    names = scene.git("for-each-ref", "--format=%(refname)", "refs/aitask/rescue/spotlight").split()
    assert len(names) == 1
    kept = names[0]
    assert scene.git("show", f"{kept}:app/views.py") == "views = 'mine'\n"
    assert scene.git("show", f"{kept}:untracked file.txt") == "untracked\n"
    assert scene.git("show", f"{kept}:half.txt") == "more than staged\n"
    assert scene.git("show", f"{kept}^2:half.txt") == "staged half\n"
    assert scene.git("ls-tree", kept, "half.txt").startswith("100755")
    assert scene.git("ls-tree", kept, "deep/er/file.txt") == ""
    assert scene.git("ls-tree", "-r", "--name-only", kept, "node_modules", ".env") == ""
