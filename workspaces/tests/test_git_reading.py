"""What repositories and worktrees hold, as git says it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aitask.tests.lab import repos
from workspaces import git, hosts


def test_a_plain_repository(local: hosts.HostConnection, repo: Path) -> None:
    found = git.inspect_repo(local, str(repo / "src"))

    assert (found.path, found.git_dir, found.common_dir) == (str(repo), f"{repo}/.git", f"{repo}/.git")
    assert (found.branch, found.bare, found.detached, found.unborn) == ("main", False, False, False)


def test_a_repository_without_commits_is_unborn(local: hosts.HostConnection, tmp_path: Path) -> None:
    found = git.inspect_repo(local, str(repos.make_unborn_repo(tmp_path / "new", "trunk")))

    assert (found.unborn, found.branch) == (True, "trunk")


def test_a_detached_head_has_no_branch(local: hosts.HostConnection, tmp_path: Path) -> None:
    found = git.inspect_repo(local, str(repos.make_detached_repo(tmp_path / "detached")))

    assert (found.detached, found.branch, found.unborn) == (True, "", False)


def test_a_bare_repository_is_its_own_top_folder(
    local: hosts.HostConnection, repo: Path, tmp_path: Path
) -> None:
    repos.git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    found = git.inspect_repo(local, f"{tmp_path}/bare.git")

    assert (found.bare, found.path) == (True, f"{tmp_path}/bare.git")


def test_submodules_are_seen(local: hosts.HostConnection, tmp_path: Path) -> None:
    assert git.inspect_repo(local, str(repos.make_repo_with_submodule(tmp_path / "whole"))).has_submodules


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_a_repository_of_another_user_says_how_to_trust_it(local: hosts.HostConnection, repo: Path) -> None:
    for path in [repo, *repo.rglob("*")]:
        shutil.chown(path, 12345)

    with pytest.raises(git.GitError, match="belongs to another user") as caught:
        git.inspect_repo(local, str(repo))

    assert "safe.directory" in caught.value.hint


def test_a_clean_worktree(local: hosts.HostConnection, repo: Path) -> None:
    found = git.status(local, str(repo))

    assert found.clean
    assert (found.branch, found.head) == ("main", repos.git(repo, "rev-parse", "HEAD"))


def test_what_is_not_committed_is_counted(local: hosts.HostConnection, repo: Path) -> None:
    (repo / "README.md").write_text("changed\n")
    (repo / "new file").touch()

    found = git.status(local, str(repo))

    assert (found.changed, found.untracked, found.conflicts, found.clean) == (1, 1, 0, False)


def test_a_diff_counts_commits_and_what_is_not_committed(local: hosts.HostConnection, repo: Path) -> None:
    base = repos.git(repo, "rev-parse", "HEAD")
    repos.commit_file(repo, "ä\tname", "one\ntwo\n")
    (repo / "README.md").write_text("")
    (repo / "new").touch()
    (repo / "image.png").write_bytes(b"\0\1")
    repos.git(repo, "add", "image.png")

    assert git.diff_stat(local, str(repo), base) == git.DiffStat(
        files=3, additions=2, deletions=1, untracked=1
    )
