"""The app's own git runs no program that an agent has planted, wherever git would look for one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git, make_repo_with_submodule
from workspaces import hosts
from workspaces.git import (
    GitError,
    Worktree,
    add_worktree,
    diffs,
    overlap,
    repos,
    rescue,
    trust,
    worktree_list,
)
from workspaces.git import git as run_git
from workspaces.git.in_the_way import files_in_the_way
from workspaces.git.nested import keep_nested
from workspaces.git.writing import Writer, writer
from workspaces.hostkit.run.commit import save_work
from workspaces.merging import Change, Mainline, Strategy, attempt, open_merge_worktree
from workspaces.tests.planted import Planter

MARK = {"installation": "0a1b2c3d", "task": 7}


@pytest.fixture
def planter(tmp_path: Path) -> Planter:
    return Planter(tmp_path)


@pytest.fixture
def tree(local: hosts.HostConnection, repo: Path, planter: Planter) -> Worktree:
    """A task's worktree with work in it, in whose surroundings everything is planted."""
    tree = task_tree(local, repo)
    work = Path(tree.path)
    (work / "committed.txt").write_text("committed\n")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "Work")
    planter.in_repository(repo / ".git")
    planter.in_worktree(work, Path(tree.git_dir))
    planter.in_nested_repository(work / "nested")
    readme = work / "README.md"
    readme.write_text(readme.read_text().swapcase())  # of the same size: git has to look into it
    (work / "new.md").write_text("new\n")
    for path in planter.folder.glob("ran-*"):  # planting runs some
        path.unlink()
    return tree


def task_tree(host: hosts.HostConnection, repo: Path, **changes: Any) -> Worktree:
    wanted: dict[str, Any] = {"root": "", "name": "7-fix", "branch": "aitask/7-fix", "base": "main"}
    return add_worktree(host, repo=str(repo), owner_mark=MARK, **{**wanted, **changes})


def spec_of(tree: Worktree) -> Any:
    return {
        "worktree": tree.path,
        "git_dir": tree.git_dir,
        "repo_git_dir": tree.common_dir,
        "branch": tree.branch,
        "base_commit": tree.base_commit,
        "environment": {},
        "commit": {"enabled": True, "message": "Left over", "name": "Ada", "email": "ada@lab.invalid"},
    }


def work_range(write: Writer, tree: Worktree, folder: Path) -> diffs.Range:
    index = str(folder / "spare.index")
    diffs.spare_index(write, tree.path, index)
    return diffs.Range(tree.path, "HEAD", "", index)


def read_everything(write: Writer, tree: Worktree, folder: Path) -> None:
    host, main = write.host, git(Path(tree.repo), "rev-parse", "main")
    tip = git(Path(tree.path), "rev-parse", "HEAD")
    repos.status(host, tree.path)
    run_git(host, tree.path, "update-index", "--assume-unchanged", "README.md")
    repos.status(host, tree.path)
    run_git(host, tree.path, "update-index", "--no-assume-unchanged", "README.md")
    host.call("unseen", {"path": tree.path, "untracked": ["committed.txt"], "ignored": True})
    files_in_the_way(host, tree.path, main, tip)
    diffs.upstream_commit(host, tree.repo, "main", main, tip)
    run_git(host, tree.path, "grep", "-l", "--text", "--untracked", "-e", "x", check=False)
    repos.diff_stat(host, tree.path, tree.base_commit)
    overlap.uncommitted_paths(host, tree.path)
    overlap.touched_by(host, tree.repo, main, tip)
    overlap.conflicts_between(host, tree.repo, main, tip)
    diffs.merged_tree(host, tree.repo, main, tip)
    diffs.commits(host, tree.repo, main, tip)
    worktree_list.list_trees(host, tree.repo)
    for compared in (diffs.Range(tree.repo, main, tip), work_range(write, tree, folder)):
        for change in diffs.changed_files(host, compared):
            diffs.file_patch(host, compared, change.path, change.old_path)
            diffs.file_text(host, compared, change.path)


def commit_leftovers(_write: Writer, tree: Worktree, _folder: Path) -> None:
    assert save_work(spec_of(tree)).committed


def rescue_all(write: Writer, tree: Worktree, folder: Path) -> None:
    commit = rescue.snapshot(write, tree.path, str(folder / "index"))
    rescue.keep(write, tree.repo, 7, commit)
    rescue.save_patch(write.host, tree.repo, tree.base_commit, commit, str(folder / "work.patch"))
    rescue.keep_reflogs(write, tree.repo, tree.path, tree.branch, 7)
    rescue.keep_ignored(write.host, tree.path, tree.repo, str(folder / "ignored.tar.gz"))
    assert keep_nested(write, tree.repo, tree.path, 7)


def remove(write: Writer, tree: Worktree, _folder: Path) -> None:
    write.git(tree.repo, "worktree", "remove", "--force", "--", tree.path)
    write.git(tree.repo, "branch", "-D", "--", tree.branch)


def add_another(write: Writer, tree: Worktree, _folder: Path) -> None:
    mark = {"installation": "0a1b2c3d", "task": 8}
    other = add_worktree(
        write.host, repo=tree.repo, root="", name="8-x", branch="aitask/8-x", base="main", owner_mark=mark
    )
    assert Path(other.path, "README.md").exists()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_merge_runs_nothing_that_was_planted(
    local: hosts.HostConnection, tree: Worktree, planter: Planter, strategy: Strategy
) -> None:
    write = writer(local, tree.repo)
    place, main = repos.locate(local, tree.repo), git(Path(tree.repo), "rev-parse", "main")
    bench = open_merge_worktree(write, place, f"{tree.repo}.worktrees/.merge", main)
    bench.recover(main)
    tip = git(Path(tree.path), "rev-parse", "HEAD")
    change = Change(tip, main, tree.branch, "Merge it\n")
    planter.hooks(Path(tree.common_dir, "hooks"), "later")
    done = attempt(bench, main, change, strategy)
    assert done.commit, done.output
    Mainline(write, place, "main").advance(main, done.commit, "test")
    assert Path(tree.repo, "committed.txt").exists()
    Mainline(write, place, "main").retreat(done.commit, main, "test")
    assert planter.marks == []


@pytest.mark.parametrize("act", [read_everything, commit_leftovers, rescue_all, add_another, remove])
def test_nothing_planted_runs(
    local: hosts.HostConnection,
    tree: Worktree,
    planter: Planter,
    tmp_path: Path,
    act: Callable[[Writer, Worktree, Path], None],
) -> None:
    act(writer(local, tree.repo), tree, tmp_path)
    assert planter.marks == []


def test_a_submodule_is_not_entered(local: hosts.HostConnection, tmp_path: Path, planter: Planter) -> None:
    repo = make_repo_with_submodule(tmp_path / "super")
    tree = task_tree(local, repo)
    git(Path(tree.path), "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    [path] = git(Path(tree.path), "config", "--file", ".gitmodules", "--get-regexp", "path").split("\n")
    sub = Path(tree.path) / path.split(" ")[1]
    name = next(file for file in git(sub, "ls-files").split("\n") if (sub / file).is_file())
    planter.in_repository(Path(git(sub, "rev-parse", "--absolute-git-dir")))
    (sub / ".gitattributes").write_text("* filter=planted diff=planted\n")
    (sub / name).write_text((sub / name).read_text().swapcase())
    for mark in planter.folder.glob("ran-*"):
        mark.unlink()

    write = writer(local, tree.repo)
    assert repos.status(local, tree.path).changed == 1
    read_everything(write, tree, tmp_path)
    (Path(tree.path) / "more.txt").write_text("x\n")
    assert save_work(spec_of(tree)).committed
    rescue.snapshot(write, tree.path, str(tmp_path / "index"))
    assert planter.marks == []


def test_a_worktree_that_names_another_git_folder_is_not_believed(
    local: hosts.HostConnection, repo: Path, planter: Planter, tmp_path: Path
) -> None:
    tree = task_tree(local, repo)
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    commit_file(other, "secret.txt", "secret\n")
    planter.in_repository(other / ".git")
    (Path(tree.path) / ".git").write_text(f"gitdir: {other}/.git\n")
    Path(tree.git_dir, "commondir").write_text(f"{other}/.git\n")

    found = repos.status(local, tree.path)

    assert found.head == tree.base_commit
    (Path(tree.path) / "new.txt").write_text("x\n")
    assert save_work(spec_of(tree)).committed
    assert git(repo, "log", "-1", "--format=%s", tree.branch) == "Left over"
    assert git(other, "rev-list", "--count", "--all") == "1"
    assert planter.marks == []


def test_a_worktree_that_was_made_to_point_away_is_refused(local: hosts.HostConnection, repo: Path) -> None:
    tree = task_tree(local, repo)
    Path(tree.git_dir, "gitdir").write_text("/nowhere/.git\n")
    (Path(tree.path) / ".git").write_text(f"gitdir: {repo}/.git\n")
    with pytest.raises(Refused, match="does not belong"):
        repos.status(local, tree.path)


def test_a_pipe_in_a_git_folder_is_said_at_once(local: hosts.HostConnection, repo: Path) -> None:
    tree = task_tree(local, repo)
    for name in ("index", "HEAD"):
        Path(tree.git_dir, name).unlink()
        os.mkfifo(Path(tree.git_dir, name))
        with pytest.raises(Refused, match="neither a file nor a folder"):
            repos.status(local, tree.path)


@pytest.mark.parametrize("name", ["README.md", "new.txt", "deep/down/new.txt"])
def test_links_and_pipes_in_a_worktree_are_not_read(
    local: hosts.HostConnection, repo: Path, tmp_path: Path, name: str
) -> None:
    tree = task_tree(local, repo)
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    path = Path(tree.path, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    os.mkfifo(Path(tree.path, "pipe"))
    compared = work_range(writer(local, tree.repo), tree, tmp_path)
    found = {change.path: change for change in diffs.changed_files(local, compared)}
    assert "pipe" not in found
    assert diffs.file_text(local, compared, name) == str(secret)
    path.unlink()
    os.mkfifo(path)
    assert diffs.file_text(local, compared, name) is None
    compared = work_range(writer(local, tree.repo), tree, tmp_path)
    statuses = {change.path: change.status for change in diffs.changed_files(local, compared)}
    assert statuses.get(name, "D") == "D"


def test_a_folder_that_became_a_link_is_not_entered(
    local: hosts.HostConnection, repo: Path, tmp_path: Path
) -> None:
    tree = task_tree(local, repo)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("secret\n")
    Path(tree.path, "folder").symlink_to(outside)
    compared = diffs.Range(tree.path, "HEAD")
    assert diffs.file_text(local, compared, "folder/file.txt") is None
    assert diffs.file_text(local, compared, "../outside/file.txt") is None


class TestChangesOfAPerson:
    def test_are_used_after_they_were_accepted(self, local: hosts.HostConnection, repo: Path) -> None:
        repos.locate(local, str(repo))
        git(repo, "config", "filter.mine.clean", "tr a-z A-Z")
        (repo / ".git/hooks/commit-msg").write_text("#!/bin/sh\nexit 1\n")
        with pytest.raises(Refused, match=r"filter\.mine\.clean, hook commit-msg"):
            trust.require_decided(local, str(repo))
        found = trust.git_changes(local, str(repo))
        assert found["settings"] == [{"key": "filter.mine.clean", "trusted": [], "present": ["tr a-z A-Z"]}]
        trust.decide(local, str(repo), found["digest"], use=True)
        trust.require_decided(local, str(repo))
        assert run_git(local, str(repo), "config", "filter.mine.clean").out == "tr a-z A-Z\n"

    def test_are_asked_about_once(self, local: hosts.HostConnection, repo: Path) -> None:
        repos.locate(local, str(repo))
        git(repo, "config", "filter.mine.clean", "cat")
        trust.decide(local, str(repo), trust.git_changes(local, str(repo))["digest"], use=False)
        trust.require_decided(local, str(repo))
        assert run_git(local, str(repo), "config", "filter.mine.clean", check=False).rc == 1
        git(repo, "config", "filter.mine.clean", "cat -A")
        with pytest.raises(Refused):
            trust.require_decided(local, str(repo))

    def test_that_change_again_meanwhile_are_not_accepted(
        self, local: hosts.HostConnection, repo: Path
    ) -> None:
        repos.locate(local, str(repo))
        git(repo, "config", "filter.mine.clean", "cat")
        digest = trust.git_changes(local, str(repo))["digest"]
        git(repo, "config", "filter.mine.clean", "sh -c evil")
        with pytest.raises(Refused, match="again"):
            trust.decide(local, str(repo), digest, use=True)

    def test_of_an_everyday_kind_need_no_decision(self, local: hosts.HostConnection, repo: Path) -> None:
        git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
        repos.locate(local, str(repo))
        for key, value in {
            "user.email": "new@lab.invalid",
            "branch.main.remote": "origin",
            "branch.main.merge": "refs/heads/main",
            "alias.st": "status",
            "pull.rebase": "true",
            "color.ui": "always",
            "core.autocrlf": "input",
        }.items():
            git(repo, "config", key, value)
        trust.require_decided(local, str(repo))
        assert run_git(local, str(repo), "config", "user.email").out == "new@lab.invalid\n"

    def test_of_where_to_push_are_asked_about(self, local: hosts.HostConnection, repo: Path) -> None:
        git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
        repos.locate(local, str(repo))
        git(repo, "config", "remote.origin.pushurl", "https://elsewhere.invalid/x.git")
        git(repo, "config", "branch.main.pushRemote", "ext::sh -c evil")
        changed = {each["key"] for each in trust.git_changes(local, str(repo))["settings"]}
        assert changed == {"remote.origin.pushurl", "branch.main.pushremote"}


def test_filters_of_the_person_work_as_before(local: hosts.HostConnection, repo: Path) -> None:
    git(repo, "config", "filter.upper.clean", "tr a-z A-Z")
    commit_file(repo, ".gitattributes", "*.up filter=upper\n")
    tree = task_tree(local, repo)
    (Path(tree.path) / "a.up").write_text("quiet\n")
    assert save_work(spec_of(tree)).committed
    assert git(repo, "show", f"{tree.branch}:a.up") == "QUIET"


def test_a_filter_whose_program_lies_in_the_tree_does_not_run_for_reading(
    local: hosts.HostConnection, repo: Path, planter: Planter
) -> None:
    git(repo, "config", "filter.tree.clean", "sh ./clean.sh")
    commit_file(repo, ".gitattributes", "*.md filter=tree\n")
    tree = task_tree(local, repo)
    Path(tree.path, "clean.sh").write_text(f"{planter.touch('tree')}\ncat\n")
    readme = Path(tree.path, "README.md")
    readme.write_text(readme.read_text().swapcase())
    repos.status(local, tree.path)
    assert planter.marks == []


def test_a_repository_that_is_gone_or_none_is_said(
    local: hosts.HostConnection, repo: Path, tmp_path: Path
) -> None:
    tree = task_tree(local, repo)
    shutil.rmtree(tree.path)
    with pytest.raises(GitError, match="There is no folder"):
        repos.status(local, tree.path)
    (tmp_path / "plain").mkdir()
    with pytest.raises(GitError, match="not a git repository"):
        repos.status(local, str(tmp_path / "plain"))
