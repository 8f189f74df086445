"""What is noticed of changes outside a run's own branch and worktree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from aitask.tests.lab.repos import commit_file, git, make_repo
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.git import places
from workspaces.hostkit.run import outside
from workspaces.hostkit.run.outside import Outside, changes_after
from workspaces.hostkit.wire import RunEvent, RunSpec

Change = dict[str, Any]


class WatchedRun:
    """A run in a worktree of a new repository, with another task's worktree beside it."""

    def __init__(self, folder: Path) -> None:
        self.repo = make_repo(folder / "repo")
        self.tree, self.other = self.add("1-own"), self.add("2-other")
        self.run = RunFolder(folder / "run")
        self.run.path.mkdir()
        common = self.repo / ".git"
        given = {
            "worktree": str(self.tree),
            "repo": str(self.repo),
            "repo_git_dir": str(common),
            "git_dir": str(common / "worktrees" / "1-own"),
            "branch": "aitask/1-own",
        }
        self.spec = cast("RunSpec", given)
        for path, git_dir in ((self.repo, common), (self.tree, Path(given["git_dir"]))):
            places.record(str(path), str(git_dir), str(common))
        self.watch = Outside(self.run, self.spec)
        self.watch.begin()

    def add(self, name: str) -> Path:
        path = self.repo.parent / "repo.worktrees" / name
        git(self.repo, "worktree", "add", "-q", "-b", f"aitask/{name}", str(path))
        return path

    def calls(self, command: str) -> None:
        """Let the agent call a shell command that has ended."""
        self.watch.note(event(kind="tool", id="a", name="Bash", title="", input={"command": command}))
        self.watch.note(event(kind="tool_result", id="a", output="", is_error=False))

    def looks(self) -> list[Change]:
        """Return what two looks find: files have to stay changed from one to the next."""
        found = [change for _ in range(2) for change in self.watch.look(idle=True)]
        self.watch.save()
        return [dict(change) for change in found]

    def ends(self) -> list[Change]:
        return [dict(change) for change in changes_after(self.run, self.spec)]


def event(**fields: Any) -> RunEvent:
    return cast("RunEvent", fields)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WatchedRun:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(outside, "SHARE", 0)
    monkeypatch.setattr(outside, "SETTLE_SECONDS", 0.0)
    return WatchedRun(tmp_path)


def test_work_in_the_own_worktree_is_not_reported(run: WatchedRun) -> None:
    (run.tree / "new").write_text("x\n")
    commit_file(run.tree, "file", "x\n")
    git(run.repo, "branch", "new-branch")
    git(run.repo, "tag", "v1")
    git(run.repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    run.calls("pytest ./tests && ls ..")
    assert run.looks() == run.ends() == []


def test_a_base_branch_that_moves_is_reported_at_once_and_once(run: WatchedRun) -> None:
    old, new = git(run.repo, "rev-parse", "main"), commit_file(run.tree, "file", "x\n")
    git(run.repo, "update-ref", "refs/heads/main", new)
    moved = {"kind": "outside", "change": "branch", "name": "refs/heads/main", "old": old, "new": new}
    assert run.looks() == [moved]
    assert run.ends() == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_deleted_branch_of_another_task_is_reported_at_the_end(run: WatchedRun, packed: bool) -> None:
    old = git(run.repo, "rev-parse", "aitask/2-other")
    if packed:
        git(run.repo, "pack-refs", "--all")
        assert run.looks() == []
    git(run.other, "checkout", "-q", "--detach")
    git(run.repo, "branch", "-q", "-D", "aitask/2-other")
    (found,) = run.ends()
    assert (found["name"], found["old"], found["new"]) == ("refs/heads/aitask/2-other", old, "")


@pytest.mark.parametrize(
    "command", ["cd {repo} && echo >> f", "echo >'{repo}/f'", 'sh -c "touch ../../repo/f"', "make -C={repo}"]
)
def test_a_file_in_the_main_worktree_is_named_with_the_command(run: WatchedRun, command: str) -> None:
    run.calls(command.format(repo=run.repo))
    (run.repo / "f").write_text("x\n")
    (found,) = run.looks()
    assert (found["name"], found["paths"], found["by_run"]) == (str(run.repo), ["f"], True)
    assert run.ends() == []


def test_a_program_that_writes_there_without_a_path_is_noticed_too(run: WatchedRun) -> None:
    (run.repo / "README.md").write_text("changed\n")
    (run.repo / "folder").mkdir()
    (run.repo / "folder" / "ä b").write_text("x\n")
    (found,) = run.ends()
    assert (found["paths"], found["by_run"]) == (["README.md", "folder/"], False)


@pytest.mark.parametrize("change", ["append", "remove", "commit"])
def test_earlier_uncommitted_work_counts_when_it_changes_or_goes_without_a_commit(
    run: WatchedRun, change: str
) -> None:
    (run.repo / "draft").write_text("x\n")
    (run.repo / "same").write_text("x\n")
    run.run.path.joinpath("outside.json").unlink()
    run.watch.begin()
    if change == "append":
        (run.repo / "draft").write_text("x\ny\n")
    elif change == "remove":
        (run.repo / "draft").unlink()
    else:
        commit_file(run.repo, "draft", "x\n")
    (found,) = run.ends()
    assert (found["change"], found.get("paths")) == (
        ("branch", None) if change == "commit" else ("files", ["draft"])
    )


def test_a_tool_that_writes_into_another_worktree_is_reported_at_once(run: WatchedRun) -> None:
    for path in (run.other / "sub" / "f", run.repo / ".git" / "hooks" / "pre-push"):
        run.watch.note(event(kind="file_change", id="a", path=str(path), change="add", diff=""))
    run.watch.note(event(kind="file_change", id="a", path="inside", change="add", diff=""))
    run.watch.note(event(kind="file_change", id="a", path="/etc/hosts", change="update", diff=""))
    first, second = run.watch.look(idle=False)
    assert (first["name"], first["paths"]) == (str(run.other), ["sub/f"])
    assert (second["name"], second["paths"]) == (str(run.repo), [".git/hooks/pre-push"])


def test_a_command_in_another_tasks_worktree_is_noticed_by_what_is_new_there(run: WatchedRun) -> None:
    run.calls(f"cd {run.other}; echo >> g")
    (run.other / "g").write_text("x\n")
    (found,) = run.looks()
    assert (found["name"], found["paths"]) == (str(run.other), ["g"])


def test_a_merge_into_the_main_worktree_is_no_uncommitted_work(run: WatchedRun) -> None:
    new = commit_file(run.tree, "file", "x\n")
    run.calls("true")
    (run.repo / ".git" / "index.lock").touch()
    (run.repo / "file").write_text("x\n")
    assert run.looks() == []
    (run.repo / ".git" / "index.lock").unlink()
    (run.repo / "file").unlink()
    git(run.repo, "merge", "-q", "--ff-only", new)
    assert [change["change"] for change in run.looks() + run.ends()] == ["branch"]


@pytest.mark.parametrize("place", ["config", "hooks/post-checkout"])
def test_new_programs_of_the_repository_are_named(run: WatchedRun, place: str) -> None:
    if place == "config":
        git(run.repo, "config", "filter.x.clean", "touch /tmp/mark")
    else:
        (run.repo / ".git" / "hooks").mkdir(exist_ok=True)
        (run.repo / ".git" / place).write_text("#!/bin/sh\n")
    (found,) = run.looks()
    assert found["change"] == "config"
    assert found["paths"] == (["filter.x.clean"] if place == "config" else ["hook post-checkout"])
    assert run.ends() == []


def test_a_planted_program_does_not_run_when_files_are_compared(run: WatchedRun, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    git(run.repo, "config", "core.fsmonitor", f"touch {mark}; false")
    git(run.repo, "config", "filter.x.clean", f"touch {mark}; cat")
    (run.repo / ".gitattributes").write_text("* filter=x\n")
    (run.repo / "README.md").write_text("changed\n")
    assert {change["change"] for change in run.ends()} == {"config", "files"}
    assert not mark.exists()


def test_a_repository_that_can_not_be_read_is_not_watched(run: WatchedRun) -> None:
    spec = cast("RunSpec", {**run.spec, "repo_git_dir": str(run.tree / "nowhere"), "git_dir": str(run.tree)})
    folder = RunFolder(run.run.path / "other")
    folder.path.mkdir()
    Outside(folder, spec).begin()
    assert changes_after(folder, spec) == []


def test_settings_that_a_person_accepts_meanwhile_are_not_reported_again(run: WatchedRun) -> None:
    git(run.repo, "config", "filter.x.clean", "cat")
    assert [change["change"] for change in run.looks()] == ["config"]
    place = places.find(str(run.repo))
    assert place
    assert place.trusted.decide(place.trusted.changes().digest, use=True)
    assert run.ends() == []


def test_another_branch_in_the_main_worktree_is_reported_once(run: WatchedRun) -> None:
    git(run.repo, "branch", "other")
    run.looks()
    git(run.repo, "checkout", "-q", "other")
    run.calls(f"git -C {run.repo} checkout other")

    found = run.looks() + run.looks() + run.ends()

    where = str(run.repo)
    assert found == [{"kind": "outside", "change": "head", "name": where, "old": "main", "new": "other"}]


def test_a_detached_head_in_the_main_worktree_is_found_at_the_end(run: WatchedRun) -> None:
    git(run.repo, "checkout", "-q", "--detach")
    assert [(change["change"], change["new"]) for change in run.ends()] == [("head", "(detached)")]
