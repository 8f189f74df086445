"""Files that git-lfs keeps: the checkout has their content, commits have pointers to it."""

from __future__ import annotations

import os

import pytest

from aitask.tests.lab.tools import require_tool
from workspaces.tests.spotlight.scene import Scene

pytestmark = pytest.mark.one_database
NAMES = ("large.bin", "edited.bin")


@pytest.fixture
def lfs(scene: Scene) -> Scene:
    """A branch has another version of a large file, which the user has also changed without a commit."""
    lfs = require_tool("git-lfs")
    for name, words in {
        "clean": "clean -- %f",
        "smudge": "smudge -- %f",
        "process": "filter-process",
    }.items():
        scene.git("config", f"filter.lfs.{name}", f"{lfs} {words}")
    scene.git("config", "filter.lfs.required", "true")
    scene.git("stash", "--quiet")
    scene.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for name in NAMES:
        scene.write(name, os.urandom(50_000))
    scene.commit("Large files")
    scene.branch("larger")
    for name, letter in zip(NAMES, (b"a", b"b"), strict=True):
        scene.write(name, letter * 60_000)
    scene.commit("Larger ones")
    scene.git("checkout", "--quiet", "main")
    scene.write("edited.bin", b"mine" * 10_000)
    return scene


def test_the_content_is_shown_and_the_users_own_comes_back(lfs: Scene) -> None:
    before = lfs.snapshot()
    assert lfs.git("cat-file", "-p", "larger:large.bin").startswith("version https://git-lfs")
    lfs.show("larger")
    assert [(lfs.top / name).read_bytes() for name in NAMES] == [b"a" * 60_000, b"b" * 60_000]
    lfs.back()
    assert lfs.snapshot() == before
    assert (lfs.top / "edited.bin").read_bytes() == b"mine" * 10_000
