"""Trial merges in memory and in a spare index say the same; the order leaves out as little as possible."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from aitask.tests.lab.repos import git
from workspaces import hosts
from workspaces.git import GitError
from workspaces.git.overlap import (
    blobs_changed_by,
    conflicts_between,
    conflicts_in_spare_index,
    conflicts_of_each,
    order_with_fewest_conflicts,
    touched_by,
)
from workspaces.merging.conflicts import new_markers
from workspaces.tests.merging.repos import changed, make_history


def test_old_git_sees_the_same_conflicts(home: Path, tmp_path: Path) -> None:
    history = make_history(tmp_path / "repo")
    history.write()
    history.commit(
        "left", {**changed(1, 2, "x"), "both.txt": "1\n", "part000/file00003.txt": None}, parent="main"
    )
    history.commit("right", {**changed(1, 2, "y"), **changed(2, 2, "z"), "both.txt": "2\n"}, parent="main")
    history.commit("right", changed(3, 2, "kept"))
    history.commit("far", {**changed(1, 17, "elsewhere in the same file")}, parent="main")
    repo = history.write()
    tips = {name: git(repo, "rev-parse", name) for name in ("left", "right", "far")}
    host = hosts.get(hosts.Address(kind="local"))

    for pair in (("left", "right"), ("left", "far"), ("right", "far")):
        left, right = (tips[name] for name in pair)
        new = conflicts_between(host, str(repo), left, right)
        assert sorted(conflicts_in_spare_index(host, str(repo), left, right)) == new
    expected = ["both.txt", "part000/file00001.txt", "part000/file00003.txt"]
    assert conflicts_between(host, str(repo), tips["left"], tips["right"]) == expected


def test_a_new_file_in_a_folder_that_another_moves_is_looked_at(home: Path, tmp_path: Path) -> None:
    history = make_history(tmp_path / "repo")
    history.commit("main", {"lib/a.txt": "a\n" * 30, "lib/b.txt": "b\n" * 30}).write()
    moved = {"lib/a.txt": None, "lib/b.txt": None, "core/a.txt": "a\n" * 30, "core/b.txt": "b\n" * 30}
    history.commit("moves", moved, parent="main")
    history.commit("adds", {"lib/new.txt": "new\n"}, parent="main")
    history.commit("far", {"elsewhere/new.txt": "new\n"}, parent="main")
    repo, host = str(history.write()), hosts.get(hosts.Address(kind="local"))

    moves, adds, far = (touched_by(host, repo, "main", branch) for branch in ("moves", "adds", "far"))

    assert moves.meets(adds)
    assert adds.meets(moves)
    assert not moves.meets(far)
    assert conflicts_between(host, repo, "moves", "adds") == ["core/new.txt"]


def test_one_process_finds_the_conflicts_of_all_pairs(home: Path, tmp_path: Path) -> None:
    history = make_history(tmp_path / "repo")
    many = {f"all/{number:03d} ü.txt": None for number in range(300)}
    history.commit("main", {**dict.fromkeys(many, "0\n"), "lib/a": "a\n" * 30, "lib/b": "b\n" * 30}).write()
    history.commit("one", {**dict.fromkeys(many, "1\n"), "line\nbreak": "1\n"}, parent="main")
    history.commit("two", {**dict.fromkeys(many, "2\n"), "line\nbreak": "2\n"}, parent="main")
    scattered = {"lib/a": None, "lib/b": None, "x/a": "a\n" * 30, "y/b": "b\n" * 30}
    history.commit("scattered", scattered, parent="main")
    history.commit("adds", {"lib/new.txt": "new\n"}, parent="main")
    repo, host = str(history.write()), hosts.get(hosts.Address(kind="local"))
    names = ("main", "one", "two", "scattered", "adds")
    pairs = list(itertools.permutations(names, 2))

    found = conflicts_of_each(host, repo, pairs)

    assert found == [conflicts_between(host, repo, *pair) for pair in pairs]
    by_pair = dict(zip(pairs, found, strict=True))
    assert by_pair["one", "two"] == sorted([*many, "line\nbreak"])
    assert by_pair["scattered", "adds"] == ["lib"], "it has only a message"
    assert by_pair["main", "one"] == []


def test_a_pair_that_git_can_not_merge_is_named_among_others(home: Path, tmp_path: Path) -> None:
    history = make_history(tmp_path / "repo")
    history.write()
    history.commit("one", {"a.txt": "1\n"}, parent="main")
    repo, host = str(history.write()), hosts.get(hosts.Address(kind="local"))
    assert conflicts_of_each(host, repo, []) == []

    with pytest.raises(GitError, match="no-such-branch"):
        conflicts_of_each(host, repo, [("main", "one"), ("one", "no-such-branch"), ("main", "one")])


def test_changes_are_read_without_a_common_ancestor(home: Path, tmp_path: Path) -> None:
    repo = make_history(tmp_path / "repo").write()
    tree = git(repo, "rev-parse", "main^{tree}")
    git(repo, "branch", "alone", git(repo, "commit-tree", "-m", "Another root", tree))
    host = hosts.get(hosts.Address(kind="local"))

    assert touched_by(host, str(repo), "main", "alone").paths == set()
    assert blobs_changed_by(host, str(repo), "main", "alone") == []


def test_changes_are_read_with_several_common_ancestors(home: Path, tmp_path: Path) -> None:
    history = make_history(tmp_path / "repo")
    history.write()
    for name in ("mine", "theirs"):
        history.commit(name, {f"{name}.txt": "1\n"}, parent="main")
    repo = history.write()
    mine, theirs = git(repo, "rev-parse", "mine"), git(repo, "rev-parse", "theirs")
    tree = git(repo, "merge-tree", "--write-tree", mine, theirs)
    for branch, parents in (("left", (mine, theirs)), ("right", (theirs, mine))):
        merge = git(repo, "commit-tree", "-m", branch, "-p", parents[0], "-p", parents[1], tree)
        git(repo, "branch", branch, merge)
    assert len(git(repo, "merge-base", "--all", "left", "right").split()) == 2

    touched = touched_by(hosts.get(hosts.Address(kind="local")), str(repo), "left", "right")

    assert len(touched.paths) == 1  # what the ancestor lacks that git prefers
    assert touched.paths < {"mine.txt", "theirs.txt"}


def test_the_one_in_everybodys_way_comes_last() -> None:
    pairs = {frozenset((1, other)) for other in (2, 3, 4)}
    assert order_with_fewest_conflicts([1, 2, 3, 4], pairs) == [2, 3, 4, 1]
    assert order_with_fewest_conflicts([1, 2, 3], set()) == [1, 2, 3]


@pytest.mark.parametrize(
    "left",
    [
        "<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> main\n",
        "b\n=======\nc\n>>>>>>> main\n",
        "<<<<<<< HEAD\nb\n",
        "b\n||||||| 295ba5\nold\n",
        f"{'<' * 12} HEAD\r\nb\r\n",
    ],
)
def test_one_marker_that_neither_side_has_is_enough(left: str) -> None:
    assert new_markers(f"a\n{left}z\n", ["a\nb\nz\n", "a\nc\nz\n"])


@pytest.mark.parametrize("line", [">>>>>>> quoted", "=======", "<<<<<< HEAD", "  <<<<<<< HEAD"])
def test_what_a_side_had_or_is_no_marker_is_none(line: str) -> None:
    assert not new_markers(f"Title\n{line}\ntext\n", ["", "Title\n>>>>>>> quoted\r\n"])
