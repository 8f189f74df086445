"""Pictures that a run's commands have made are shown at its end, whatever made them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from aitask.tests.lab.given_files import picture
from aitask.tests.lab.repos import commit_file, git
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.run.made import made_pictures
from workspaces.hostkit.run.pictures import Pictures

from .test_commit import spec, tree

__all__ = ["tree"]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def kept_in(folder: RunFolder) -> set[str]:
    return {path.name for path in (folder.path / "pictures").iterdir()}


def test_committed_and_uncommitted_pictures_are_kept_and_named(tree: Path, folder: RunFolder) -> None:
    (tree / "shots").mkdir()
    (tree / "shots/a b.PNG").write_bytes(picture(1))
    git(tree, "add", "shots")
    git(tree, "commit", "-qm", "Shots")
    (tree / "left.png").write_bytes(picture(2))
    event = made_pictures(folder, spec(tree), 0.0)
    assert event is not None
    assert event["text"].endswith("new or have changed: left.png, shots/a b.PNG.")
    assert [row["name"] for row in event["pictures"]] == ["left.png", "shots/a b.PNG"]
    assert kept_in(folder) == {hashlib.sha256(picture(red)).hexdigest() for red in (1, 2)}


def test_what_the_base_has_was_there_before_or_was_shown_is_left_out(tree: Path, folder: RunFolder) -> None:
    (tree / "shown.png").write_bytes(picture(3))
    Pictures(folder.path / "pictures").keep(picture(3))
    assert made_pictures(folder, spec(tree), 0.0) is None
    (tree / "earlier.png").write_bytes(picture(4))
    later = (tree / "earlier.png").stat().st_ctime + 1
    assert made_pictures(folder, spec(tree), later) is None
    commit_file(tree, "README.md", "no picture\n")
    assert made_pictures(folder, spec(tree, base_commit=git(tree, "rev-parse", "HEAD")), later) is None


def test_links_and_what_is_no_picture_are_left_out(tree: Path, folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(picture(5))
    (tmp_path / "away").mkdir()
    (tmp_path / "away/private.png").write_bytes(picture(5))
    (tree / "link.png").symlink_to(tmp_path / "private.png")
    (tree / "folder").symlink_to(tmp_path / "away")
    (tree / "page.png").write_text("<script>alert(1)</script>")
    os.mkfifo(tree / "pipe.png")
    assert made_pictures(folder, spec(tree), 0.0) is None


def test_a_worktree_that_is_gone_is_no_error(folder: RunFolder, tmp_path: Path, tree: Path) -> None:
    assert made_pictures(folder, spec(tree, worktree=str(tmp_path / "gone")), 0.0) is None
