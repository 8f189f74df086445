"""What is committed at the end of a run, and what is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from aitask.tests.lab.repos import commit_file, git, make_oddly_named_repo, make_repo, make_unborn_repo
from workspaces.hostkit.run.commit import save_work
from workspaces.hostkit.wire import RunSpec


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    repo = make_repo(tmp_path / "repo")
    git(repo, "worktree", "add", "-q", "-b", "aitask/1", str(tmp_path / "tree"))
    return tmp_path / "tree"


def spec(tree: Path, **changes: Any) -> RunSpec:
    commit = {"enabled": True, "message": "Work", "name": "Ada", "email": "ada@lab.invalid"}
    base = git(tree, "rev-parse", "main")
    given = {"worktree": str(tree), "branch": "aitask/1", "base_commit": base, "commit": commit}
    return cast("RunSpec", {**given, **changes})


def test_new_changed_and_deleted_files_are_committed_and_counted(tree: Path) -> None:
    (tree / "new file").write_text("a\nb\n")
    (tree / "README.md").unlink()
    work = save_work(spec(tree))
    assert work.committed
    assert work.diff == {"files": 2, "additions": 2, "deletions": 1}
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "log", "-1", "--format=%an <%ae> %s") == "Ada <ada@lab.invalid> Work"


def test_copied_files_are_never_committed_even_when_staged(tree: Path) -> None:
    for name in (".env", "a [b]*.key", "kept"):
        (tree / name).write_text("x\n")
    git(tree, "add", ".env")
    work = save_work(spec(tree, copied=[".env", "a [b]*.key", "gone"]))
    assert git(tree, "show", "--name-only", "--format=", "HEAD") == "kept"
    assert work.diff == {"files": 1, "additions": 1, "deletions": 0}
    assert (tree / ".env").read_text() == "x\n"


def test_what_git_can_not_add_is_told_and_keeps_nothing_else_out(tree: Path) -> None:
    make_unborn_repo(tree / "inner")
    (tree / "inner" / "file").write_text("x\n")
    (tree / "kept").write_text("x\n")
    work = save_work(spec(tree))
    assert git(tree, "show", "--name-only", "--format=", "HEAD") == "kept"
    assert "inner" in work.notices[0]


def test_nothing_to_commit_is_no_commit(tree: Path) -> None:
    work = save_work(spec(tree))
    assert (work.commit, work.committed) == (None, False)
    assert work.diff == {"files": 0, "additions": 0, "deletions": 0}


def test_the_agents_own_commits_count(tree: Path) -> None:
    head = commit_file(tree, "own.txt", "one\n")
    work = save_work(spec(tree))
    assert (work.commit, work.committed) == (head, False)
    assert work.diff == {"files": 1, "additions": 1, "deletions": 0}


def test_main_moving_on_is_not_the_runs_work(tree: Path) -> None:
    base = git(tree, "rev-parse", "main")
    commit_file(tree.parent / "repo", "elsewhere.txt", "x\n")
    commit_file(tree, "own.txt", "one\n")
    work = save_work(spec(tree, base_commit=base))
    assert work.diff == {"files": 1, "additions": 1, "deletions": 0}


def test_another_branch_is_left_alone(tree: Path) -> None:
    git(tree, "checkout", "-q", "-b", "someone-elses")
    (tree / "new").write_text("x")
    work = save_work(spec(tree))
    assert not work.committed
    assert "another branch" in work.notices[0]
    assert git(tree, "status", "--porcelain") == "?? new"


def test_an_unfinished_merge_is_left_alone(tree: Path) -> None:
    commit_file(tree.parent / "repo", "README.md", "theirs\n")
    commit_file(tree, "README.md", "ours\n")
    with pytest.raises(AssertionError, match=r"."):
        git(tree, "merge", "main")
    work = save_work(spec(tree))
    assert not work.committed
    assert "unfinished" in work.notices[0]


def test_committing_can_be_switched_off(tree: Path) -> None:
    (tree / "new").write_text("x")
    work = save_work(spec(tree, commit={"enabled": False}))
    assert not work.committed
    assert git(tree, "status", "--porcelain") == "?? new"


def test_hooks_and_signing_do_not_stand_in_the_way(tree: Path) -> None:
    hook = tree.parent / "repo/.git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    git(tree, "config", "commit.gpgSign", "true")
    (tree / "new").write_text("x")
    assert save_work(spec(tree)).committed


def test_without_a_name_the_hosts_own_identity_is_used(tree: Path) -> None:
    (tree / "new").write_text("x")
    save_work(spec(tree, commit={"enabled": True, "message": "Work", "name": "", "email": ""}))
    assert git(tree, "log", "-1", "--format=%an <%ae>") == "Ada Lab <ada@lab.invalid>"


def test_a_lock_that_a_killed_git_left_is_no_obstacle(tree: Path) -> None:
    lock = Path(git(tree, "rev-parse", "--absolute-git-dir")) / "index.lock"
    lock.write_text("")
    (tree / "new").write_text("x")
    assert save_work(spec(tree)).committed


def test_a_repository_with_an_odd_path_works(tmp_path: Path) -> None:
    repo = make_oddly_named_repo(tmp_path)
    tree = repo.with_name("tree of " + repo.name)
    git(repo, "worktree", "add", "-q", "-b", "aitask/1", str(tree))
    (tree / "nëw 'file\"").write_text("x\n")
    assert save_work(spec(tree)).diff == {"files": 1, "additions": 1, "deletions": 0}


def test_a_worktree_that_is_gone_is_no_error(tmp_path: Path) -> None:
    gone = {"worktree": str(tmp_path / "gone"), "commit": {"enabled": True}}
    assert save_work(cast("RunSpec", gone)).commit is None


def test_a_copied_file_that_git_ignores_is_no_error(tree: Path) -> None:
    (tree / ".gitignore").write_text(".env\nlocal/\n")
    for name in (".env", "local/a.key", "visible"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("x\n")
    work = save_work(spec(tree, copied=[".env", "local/a.key", "visible"]))
    assert work.notices == []
    assert git(tree, "show", "--name-only", "--format=", "HEAD") == ".gitignore"


@pytest.mark.parametrize(
    ("ignore", "link", "committed"),
    [
        ("node_modules/\n", "node_modules", False),
        ("/vendor/libs/\n", "vendor/libs", False),
        ("node_modules/\n!node_modules/\n", "node_modules", True),
        ("other/\n", "node_modules", True),
    ],
)
def test_a_link_in_place_of_an_ignored_folder_is_not_committed(
    tree: Path, ignore: str, link: str, committed: bool
) -> None:
    commit_file(tree, ".gitignore", ignore)
    (tree / link).parent.mkdir(exist_ok=True)
    (tree / link).symlink_to(tree.parent)
    (tree / "link to a file").symlink_to("README.md")
    work = save_work(spec(tree))
    names = git(tree, "show", "--name-only", "--format=", "HEAD").splitlines()
    assert (link in names) is committed
    assert "link to a file" in names
    assert work.notices == []


def test_a_pattern_in_a_folder_of_its_own_counts_for_links_too(tree: Path) -> None:
    commit_file(tree, "web/.gitignore", "node_modules/\n")
    (tree / "web/node_modules").symlink_to(tree.parent)
    assert not save_work(spec(tree)).committed


def test_a_stash_of_the_branch_is_told_and_others_are_not(tree: Path) -> None:
    git(tree.parent / "repo", "stash", "list")
    (tree.parent / "repo" / "README.md").write_text("a person's\n")
    git(tree.parent / "repo", "stash", "push", "-q", "-m", "On aitask/1")
    assert save_work(spec(tree)).left_out == []
    (tree / "README.md").write_text("an agent's\n")
    git(tree, "stash", "push", "-q", "-m", "half done")
    (text,) = save_work(spec(tree)).left_out
    assert "stash@{0}" in text
    assert "half done" in text


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_changes_that_git_overlooks_are_told(tree: Path, mark: str) -> None:
    commit_file(tree, "other.txt", "x\n")
    git(tree, "update-index", mark, "README.md", "other.txt")
    assert save_work(spec(tree)).left_out == []
    (tree / "README.md").write_text("an agent's\n")
    (text,) = save_work(spec(tree)).left_out
    assert "README.md" in text
    assert "other.txt" not in text
    assert git(tree, "ls-files", "-v", "README.md")[0] in "hS"


def test_new_source_files_that_git_ignores_are_told(tree: Path) -> None:
    commit_file(tree, ".gitignore", "secret-src/\n*.log\nnotes.md\nnode_modules/\nbuild/\n.env\n")
    for name in ("secret-src/deep/new.py", "a.log", "node_modules/x.js", "build/x.js", ".env"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x\n")
    (tree / "notes.md").write_text("old\n")
    os.utime(tree / "notes.md", (1000, 1000))
    (text,) = save_work(spec(tree), since=2000).left_out
    assert "secret-src/deep/new.py" in text
    assert not any(name in text for name in ("a.log", "x.js", ".env", "notes.md"))


def test_files_left_out_of_a_sparse_checkout_are_no_changes(tree: Path) -> None:
    commit_file(tree, "sub/a.txt", "x\n")
    git(tree, "sparse-checkout", "set", "src")
    work = save_work(spec(tree))
    assert not (tree / "sub").exists()
    assert (work.committed, work.left_out) == (False, [])
