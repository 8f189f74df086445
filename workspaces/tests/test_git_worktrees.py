"""Each task gets a worktree of its own, once, whatever the repository is like."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import repos
from workspaces import git, hosts
from workspaces.hostkit.git import trusted
from workspaces.hostkit.git.trusted import TrustedFolder

MARK = {"installation": "0a1b2c3d", "task": 7}


def add(host: hosts.HostConnection, repo: Path | str, **changes: Any) -> git.Worktree:
    wanted: dict[str, Any] = {
        "repo": str(repo),
        "root": "",
        "name": "7-fix",
        "branch": "aitask/7-fix",
        "base": "main",
        "owner_mark": MARK,
    }
    return git.add_worktree(host, **{**wanted, **changes})


def head(path: str | Path) -> str:
    return repos.git(Path(path), "rev-parse", "HEAD")


def test_it_lies_beside_the_repository_on_its_own_branch(local: hosts.HostConnection, repo: Path) -> None:
    tree = add(local, repo)

    assert tree.created
    assert tree.path == f"{repo}.worktrees/7-fix"
    assert repos.git(Path(tree.path), "branch", "--show-current") == "aitask/7-fix"
    assert head(tree.path) == tree.base_commit == head(repo)


def test_it_may_lie_in_a_folder_of_its_own(local: hosts.HostConnection, repo: Path, home: Path) -> None:
    assert add(local, repo, root="~/trees").path == str(home / "trees/7-fix")


def test_asking_again_gives_the_same_one(local: hosts.HostConnection, repo: Path) -> None:
    first = add(local, repo)
    again = add(local, repo)

    assert not again.created
    assert (again.path, again.branch, again.git_dir) == (first.path, first.branch, first.git_dir)


def test_another_task_of_the_same_name_gets_another_one(local: hosts.HostConnection, repo: Path) -> None:
    add(local, repo)
    other = add(local, repo, owner_mark={**MARK, "installation": "ffffffff"})

    assert (other.branch, other.path) == ("aitask/7-fix-2", f"{repo}.worktrees/7-fix-2")


def test_a_branch_of_somebody_else_is_left_alone(local: hosts.HostConnection, repo: Path) -> None:
    repos.git(repo, "branch", "aitask/7-fix")

    assert add(local, repo).branch == "aitask/7-fix-2"


def test_a_folder_of_somebody_else_is_left_alone(local: hosts.HostConnection, repo: Path) -> None:
    theirs = Path(f"{repo}.worktrees/7-fix/notes.txt")
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")

    assert add(local, repo).path.endswith("/7-fix-2")
    assert theirs.read_text() == "mine"


def test_one_that_was_removed_is_made_again_with_its_work(local: hosts.HostConnection, repo: Path) -> None:
    first = add(local, repo)
    work = repos.commit_file(Path(first.path), "work.txt", "done")
    shutil.rmtree(first.path)

    again = add(local, repo)

    assert (again.path, again.created, head(again.path)) == (first.path, True, work)


def test_one_that_was_never_finished_is_made_anew(local: hosts.HostConnection, repo: Path) -> None:
    first = add(local, repo)
    Path(first.git_dir, "aitask.json").unlink()
    intent = Path(first.common_dir, "aitask", "0a1b2c3d-7.json")
    intent.write_text(json.dumps({**json.loads(intent.read_text()), "complete": False}))
    Path(first.path, "README.md").unlink()

    again = add(local, repo)

    assert (again.path, again.branch) == (first.path, first.branch)
    assert Path(again.path, "README.md").exists()


def test_a_foreign_worktree_where_ours_was_is_not_touched(local: hosts.HostConnection, repo: Path) -> None:
    first = add(local, repo)
    repos.git(repo, "worktree", "remove", "--force", first.path)
    repos.git(repo, "worktree", "add", "-q", "-b", "theirs", first.path)

    assert add(local, repo).path.endswith("/7-fix-2")
    assert repos.git(Path(first.path), "branch", "--show-current") == "theirs"


def test_an_oddly_named_repository_works(local: hosts.HostConnection, tmp_path: Path) -> None:
    tree = add(local, repos.make_oddly_named_repo(tmp_path))

    assert Path(tree.path, "README.md").exists()
    assert add(local, tree.repo).path == tree.path


@pytest.mark.parametrize("path", ["/tmp/a\nb", "/tmp/a\0b", "relative/repo", "~ada/repo"])
def test_a_path_that_cannot_be_one_is_refused(local: hosts.HostConnection, path: str) -> None:
    with pytest.raises(git.GitError) as caught:
        add(local, path)

    assert caught.value.code == "bad_path"


def test_the_home_folder_on_the_host_may_be_meant(local: hosts.HostConnection, home: Path) -> None:
    repos.make_repo(home / "project")

    assert add(local, "~/project").repo == str(home / "project")


def test_a_repository_without_commits_says_what_to_do(local: hosts.HostConnection, tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="no commits yet") as caught:
        add(local, repos.make_unborn_repo(tmp_path / "new"))

    assert caught.value.code == "unborn"
    assert "git commit --allow-empty" in caught.value.hint


def test_a_missing_base_branch_tells_which_there_are(local: hosts.HostConnection, repo: Path) -> None:
    with pytest.raises(git.GitError, match="develop does not exist") as caught:
        add(local, repo, base="develop")

    assert "main" in caught.value.hint


def test_branches_of_tasks_are_no_base_to_be_named(local: hosts.HostConnection, repo: Path) -> None:
    for number in range(9):
        repos.git(repo, "branch", f"aitask/{number}-task")
    with pytest.raises(git.GitError) as caught:
        add(local, repo, base="develop")

    assert caught.value.hint == "Branches: main."


@pytest.mark.parametrize("base", ["--help", "-x", "main; rm -rf /", "a..b", ""])
def test_a_base_that_is_no_name_is_refused(local: hosts.HostConnection, repo: Path, base: str) -> None:
    with pytest.raises(git.GitError):
        add(local, repo, base=base)


def test_a_detached_head_is_fine(local: hosts.HostConnection, tmp_path: Path) -> None:
    repo = repos.make_detached_repo(tmp_path / "detached")

    assert add(local, repo).base_commit == repos.git(repo, "rev-parse", "main")


def test_a_branch_that_only_the_origin_has_is_found(
    local: hosts.HostConnection, repo: Path, tmp_path: Path
) -> None:
    repos.git(repo, "branch", "develop")
    repos.git(tmp_path, "clone", "-q", str(repo), "clone")

    tree = add(local, tmp_path / "clone", base="develop")

    assert tree.base_commit == head(repo)
    assert (
        repos.git(Path(tree.path), "config", "--get-regexp", "branch.*remote") == "branch.main.remote origin"
    )


def test_a_bare_repository_works(local: hosts.HostConnection, repo: Path, tmp_path: Path) -> None:
    repos.git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")

    assert add(local, tmp_path / "bare.git").path == f"{tmp_path}/bare.git.worktrees/7-fix"


def test_submodules_that_cannot_be_fetched_are_told_of(local: hosts.HostConnection, tmp_path: Path) -> None:
    tree = add(local, repos.make_repo_with_submodule(tmp_path / "whole"))

    assert Path(tree.path, "README.md").exists()
    assert "submodules" in tree.notices[0]


def test_a_folder_that_is_no_repository_says_so(local: hosts.HostConnection, tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="not a git repository"):
        add(local, tmp_path)


def test_a_folder_that_is_not_there_says_so(local: hosts.HostConnection, tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="no folder"):
        add(local, tmp_path / "missing")


def test_many_at_the_same_time_all_succeed(local: hosts.HostConnection, repo: Path) -> None:
    made: list[git.Worktree] = []

    def one(number: int) -> None:
        name = f"{number}-fix"
        mark = {**MARK, "task": number}
        made.append(add(local, repo, name=name, branch=f"aitask/{name}", owner_mark=mark))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(tree.branch for tree in made) == sorted(f"aitask/{number}-fix" for number in range(10))


def test_processes_take_turns_to_change_worktrees_but_not_for_ever(
    local: hosts.HostConnection, repo: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(local, repo)
    turns = TrustedFolder(str(repo / ".git"))
    came: list[str] = []

    def add_another() -> None:
        add(local, repo, name="8-x", branch="aitask/8-x", owner_mark={**MARK, "task": 8})
        came.append("another")

    with turns.turn():
        thread = threading.Thread(target=add_another)
        thread.start()
        assert git.git(local, str(repo), "worktree", "list").out.count("\n") == 2  # needs no turn
        monkeypatch.setattr(trusted, "TURN_SECONDS", 0.1)
        with turns.turn():
            came.append("without a turn")
        assert came == ["without a turn"]
    thread.join(60)
    assert came == ["without a turn", "another"]


def test_a_lock_of_another_git_is_waited_for(local: hosts.HostConnection, repo: Path) -> None:
    lock = repo / ".git/refs/heads/aitask/7-fix.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    threading.Timer(0.3, lock.unlink).start()

    assert add(local, repo).branch == "aitask/7-fix"


def test_a_hook_that_fails_afterwards_is_a_warning(local: hosts.HostConnection, repo: Path) -> None:
    hook = repo / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\necho no lfs here >&2\nexit 3\n")
    hook.chmod(0o755)

    tree = add(local, repo)

    assert tree.path.endswith("/7-fix")
    assert "no lfs here" in tree.notices[0]
    assert add(local, repo).created is False


def test_a_checkout_that_is_not_complete_is_an_error(local: hosts.HostConnection, repo: Path) -> None:
    repos.commit_file(repo, ".gitattributes", "*.md filter=broken\n")
    for name, value in {"smudge": "false", "clean": "cat", "required": "true"}.items():
        repos.git(repo, "config", f"filter.broken.{name}", value)

    with pytest.raises(git.GitError, match="smudge"):
        add(local, repo)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("aitask", "aitask-7-fix"), ("aitask/7-fix/part", "aitask/7-fix-2"), ("aitask-7-fix", "aitask/7-fix")],
)
def test_a_branch_that_takes_the_place_of_a_folder_is_stepped_aside(
    local: hosts.HostConnection, repo: Path, theirs: str, ours: str
) -> None:
    repos.git(repo, "branch", theirs)

    tree = add(local, repo)

    assert tree.branch == ours
    assert repos.git(Path(tree.path), "branch", "--show-current") == ours
    assert add(local, repo, owner_mark={**MARK, "task": 8}).branch not in {ours, theirs}


def test_a_stale_registration_of_somebody_else_stays(local: hosts.HostConnection, repo: Path) -> None:
    path = Path(f"{repo}.worktrees/7-fix")
    repos.git(repo, "worktree", "add", "-q", "--detach", str(path))
    lost = repos.commit_file(path, "only here.txt", "x")
    shutil.rmtree(path)
    other = Path(f"{repo}.worktrees/other")
    repos.git(repo, "worktree", "add", "-q", "--detach", str(other))
    shutil.rmtree(other)

    assert add(local, repo).path.endswith("/7-fix-2")
    assert add(local, repo).path.endswith("/7-fix-2")

    listed = repos.git(repo, "worktree", "list", "--porcelain")
    assert lost in listed
    assert str(other) in listed


def known(path: Path, repo: Path, branch: str) -> git.Known:
    return git.Known(str(path), branch, head(repo))


def test_an_adopted_worktree_is_the_tasks_from_then_on(local: hosts.HostConnection, repo: Path) -> None:
    path = repo.parent / "by hand"
    repos.git(repo, "worktree", "add", "-q", "-b", "mine", str(path))
    work = repos.commit_file(path, "work.txt", "x")

    assert git.adopt_worktree(local, repo=str(repo), known=known(path, repo, "mine"), owner_mark=MARK)
    tree = add(local, repo, branch="mine")

    assert (tree.path, tree.branch, tree.created, head(tree.path)) == (str(path), "mine", False, work)


def test_a_worktree_that_an_earlier_version_adopted_is_found(local: hosts.HostConnection, repo: Path) -> None:
    path = repo.parent / "by hand"
    repos.git(repo, "worktree", "add", "-q", "-b", "mine", str(path))

    tree = add(local, repo, branch="mine", known=known(path, repo, "mine"))

    assert (tree.path, tree.branch) == (str(path), "mine")


def test_a_worktree_of_another_installation_is_not_taken(local: hosts.HostConnection, repo: Path) -> None:
    theirs = add(local, repo, owner_mark={**MARK, "installation": "ffffffff"})
    last = known(Path(theirs.path), repo, theirs.branch)

    assert git.adopt_worktree(local, repo=str(repo), known=last, owner_mark=MARK) is None
    with pytest.raises(git.GitError, match="already checked out"):
        add(local, repo, branch=theirs.branch, known=last)


def test_a_branch_whose_worktree_is_gone_is_checked_out_again(
    local: hosts.HostConnection, repo: Path
) -> None:
    path = repo.parent / "by hand"
    repos.git(repo, "worktree", "add", "-q", "-b", "mine", str(path))
    work = repos.commit_file(path, "work.txt", "x")
    repos.git(repo, "worktree", "remove", str(path))

    tree = add(local, repo, branch="mine", known=known(path, repo, "mine"))

    assert (tree.branch, tree.new_branch, head(tree.path)) == ("mine", False, work)


def test_a_branch_is_not_replaced_when_its_folder_is_somebody_elses(
    local: hosts.HostConnection, repo: Path
) -> None:
    first = add(local, repo)
    work = repos.commit_file(Path(first.path), "work.txt", "x")
    repos.git(repo, "worktree", "remove", first.path)
    Path(first.path).mkdir()

    again = add(local, repo)

    assert (again.path, again.branch, head(again.path)) == (f"{first.path}-2", first.branch, work)


def test_a_mark_that_an_agent_removed_does_not_start_the_work_anew(
    local: hosts.HostConnection, repo: Path
) -> None:
    first = add(local, repo)
    Path(first.git_dir, "aitask.json").unlink()

    again = add(local, repo)

    assert (again.path, again.branch, again.created) == (first.path, first.branch, False)


@pytest.mark.parametrize(
    "settings",
    [
        {"process": "git-big filter-process", "required": "true"},
        {"smudge": "git-big smudge -- %f", "clean": "cat", "required": "true"},
        {"smudge": "/opt/no/git-big %f", "clean": "cat", "required": "true"},
    ],
)
def test_a_helper_program_that_is_missing_is_named(
    local: hosts.HostConnection, repo: Path, settings: dict[str, str]
) -> None:
    repos.commit_file(repo, ".gitattributes", "*.md filter=big\n")
    for name, value in settings.items():
        repos.git(repo, "config", f"filter.big.{name}", value)

    with pytest.raises(git.GitError, match="git-big"):
        add(local, repo)
