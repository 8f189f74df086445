"""Repositories as people have them: dirty, with hooks, with a main that moves, odd names; each strategy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aitask.tests.lab.repos import commit_file, git
from aitask.tests.lab.wait import wait_for
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, task_with, workspace_of
from tasks.tests.review.riding import merge, ride, states
from tasks.trains import jobs
from tasks.trains import services as trains
from workspaces.tests.merging.repos import History, changed, first_parent_subjects, text

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
NO_KEYS = "test ! -e secret.key || { echo 'no keys here' >&2; exit 1; }"


def add_hook(history: History, name: str, script: str) -> None:
    hook = history.repo / ".git/hooks" / name
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def test_uncommitted_work_in_the_way_stops_the_train_and_is_not_touched(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    files = [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y")), ("three", changed(3, 2, "z"))]
    tasks = make_tasks(workspace, history, files)
    mine = history.repo / "part000/file00002.txt"
    mine.write_text("my own work\n")
    tried = merge(workspace, tasks.values(), dry_run=True)
    assert states(tried) == ["clean", "blocked", "waiting"]

    train = merge(workspace, tasks.values())

    assert states(train) == ["merged", "blocked", "waiting"]
    assert train.state == "stopped"
    assert "part000/file00002.txt" in train.reason
    assert "uncommitted changes" in train.reason
    assert mine.read_text() == "my own work\n"

    git(history.repo, "checkout", "--", "part000/file00002.txt")
    trains.continue_train(train)
    assert states(ride(train)) == ["merged", "merged", "merged"]


def test_staged_work_elsewhere_stays_staged(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    (history.repo / "part000/file00009.txt").write_text("staged\n")
    git(history.repo, "add", "part000/file00009.txt")

    assert states(merge(workspace, tasks.values())) == ["merged"]
    assert git(history.repo, "diff", "--cached", "--name-only") == "part000/file00009.txt"
    assert git(history.repo, "diff", "--name-only") == ""


def test_a_hook_that_refuses_takes_the_task_out(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", {"secret.key": "x"}), ("two", changed(2, 2, "y"))])
    add_hook(history, "pre-merge-commit", NO_KEYS)

    train = merge(workspace, tasks.values())

    assert states(train) == ["refused", "merged"]
    assert "no keys here" in train.steps.get(position=1).output


@pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"])
def test_a_squash_runs_the_hooks_of_its_commit(home: Path, tmp_path: Path, name: str) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    ran = tmp_path / "ran"
    add_hook(history, name, f"touch '{ran}'")

    assert states(merge(workspace, tasks.values(), strategy="squash")) == ["merged"]
    assert ran.exists()


def test_a_commit_hook_that_refuses_a_squash_takes_the_task_out(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", {"secret.key": "x"}), ("two", changed(2, 2, "y"))])
    add_hook(history, "pre-commit", NO_KEYS)

    train = merge(workspace, tasks.values(), strategy="squash")

    assert states(train) == ["refused", "merged"]
    assert "no keys here" in train.steps.get(position=1).output


def test_a_hook_that_protects_main_stops_the_train(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    git(history.repo, "checkout", "-q", "-b", "elsewhere")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    before = git(history.repo, "rev-parse", "main")
    add_hook(history, "reference-transaction", '[ "$1" != prepared ] || ! grep -q " refs/heads/main$"')

    train = merge(workspace, tasks.values())

    assert train.state == "stopped"
    assert "hook" in train.reason
    assert git(history.repo, "rev-parse", "main") == before


def test_a_signature_that_can_not_be_made_is_said(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    git(history.repo, "config", "commit.gpgsign", "true")
    git(history.repo, "config", "gpg.program", "/bin/false")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])

    train = merge(workspace, tasks.values())

    assert states(train) == ["refused"]
    assert "sign" in train.steps.get().output


def test_a_main_that_moves_meanwhile_is_tried_again_on_its_new_tip(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    git(history.repo, "checkout", "-q", "-b", "elsewhere")
    marker = tmp_path / "moved"
    command = (
        f"test -e '{marker}' || {{ touch '{marker}'; git -C '{history.repo}' update-ref refs/heads/main "
        f"$(git -C '{history.repo}' commit-tree -p main -m 'By hand' 'main^{{tree}}'); }}"
    )
    workspace = workspace_of(history.repo, check_command=command)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])

    train = merge(workspace, tasks.values())

    step = train.steps.get()
    assert (step.state, step.tries) == ("merged", 2)
    assert first_parent_subjects(history.repo)[-2:] == ["By hand", f"{step.title} (task {step.task_id})"]


def test_a_stopped_train_ends_a_check_that_another_worker_began(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo, check_command=f"echo $$ >'{tmp_path}/pid'; sleep 600")
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    train = trains.start_train(workspace, list(tasks.values()), user=None)
    jobs.run_train(train.pk, patience=0.1)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), 20, "the check")

    trains.stop_train(train)

    assert ride(train).state == "cancelled"
    pid = (tmp_path / "pid").read_text().strip()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), 20, "the check's end")
    assert states(train) == ["waiting"]


def test_a_conflict_without_a_place_in_a_file_is_told_in_words(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    moved: dict[str, str | None] = {f"part000/file{number:05}.txt": None for number in range(50)}
    moved |= {f"pieces/file{number:05}.txt": text(number) for number in range(50)}
    tasks = make_tasks(workspace, history, [("moves", moved), ("adds", {"part000/new.txt": "new\n"})])

    train = merge(workspace, tasks.values())

    assert states(train) == ["merged", "conflict"]
    step = train.steps.get(position=2)
    assert "inside a directory that was renamed" in step.output
    assert "adds" in step.output


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_each_strategy_brings_the_work_and_knows_it_again(home: Path, tmp_path: Path, strategy: str) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo, check_command=CHECK)
    history.commit("one", changed(1, 2, "x"), parent="main").commit("one", changed(2, 2, "y"))
    history.commit("two", changed(3, 2, "z"), parent="main").write()
    tasks = [task_with(workspace, history.repo, branch) for branch in ("one", "two")]

    assert states(merge(workspace, tasks, strategy=strategy)) == ["merged", "merged"]
    assert states(merge(workspace, tasks, strategy=strategy)) == ["already", "already"]
    commits = {"merge": 5, "squash": 2, "rebase": 3}[strategy]
    assert len(git(history.repo, "rev-list", "main").splitlines()) == 1 + commits


def test_trying_only_moves_nothing_and_sees_conflicts_among_the_tasks(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    before = git(history.repo, "rev-parse", "main")
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y"))])

    train = merge(workspace, tasks.values(), dry_run=True)

    assert states(train) == ["clean", "conflict"]
    assert git(history.repo, "rev-parse", "main") == before
    conflict = train.steps.get(position=2).files[0]
    assert conflict["path"] == "part000/file00001.txt"
    assert "<<<<<<< main" in conflict["hunks"][0]
    assert ">>>>>>> two" in conflict["hunks"][0]


def test_a_push_is_never_forced(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo")
    git(tmp_path, "clone", "-q", "--bare", "repo", "origin.git")
    git(history.repo, "remote", "add", "origin", str(tmp_path / "origin.git"))
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])

    first = merge(workspace, [tasks["one"]], push=True)
    assert first.push == "done", first.push_output
    assert git(tmp_path / "origin.git", "rev-parse", "main") == first.tip

    other = git(tmp_path / "origin.git", "commit-tree", "-p", "main", "-m", "Theirs", "main^{tree}")
    git(tmp_path / "origin.git", "update-ref", "refs/heads/main", other)
    second = merge(workspace, [tasks["two"]], push=True)
    assert second.push == "failed"
    assert git(tmp_path / "origin.git", "rev-parse", "main") == other
    assert states(second) == ["merged"]


def test_branches_named_to_do_harm_are_only_names(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo with ' and $(touch x) ü")
    workspace = workspace_of(history.repo, check_command="true")
    odd = "-x';touch${IFS}y;'ü\u2028\x85"
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=history.repo, input="x", capture_output=True, text=True
    ).stdout.strip()
    tree = subprocess.run(
        ["git", "mktree"],
        cwd=history.repo,
        input=f"100644 blob {blob}\t--help\n",
        capture_output=True,
        text=True,
    ).stdout.strip()
    commit = git(history.repo, "commit-tree", "-p", "main", "-m", "odd", tree)
    git(history.repo, "update-ref", f"refs/heads/{odd}", commit)
    task = task_with(workspace, history.repo, odd, title="--abort\n# x")

    assert states(merge(workspace, [task])) == ["merged"]
    assert first_parent_subjects(history.repo)[-1] == f"--abort # x (task {task.pk})"
    assert (history.repo / "--help").exists()
    assert not (history.repo / "y").exists()


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_moved_folder_is_a_conflict_with_files_whatever_git_is_set_to(
    home: Path, tmp_path: Path, strategy: str
) -> None:
    history = small_repo(tmp_path / "repo")
    git(history.repo, "config", "merge.renormalize", "true")
    workspace = workspace_of(history.repo)
    moved: dict[str, str | None] = {f"part000/file{number:05}.txt": None for number in range(50)}
    moved |= {f"pieces/file{number:05}.txt": text(number) for number in range(50)}
    tasks = make_tasks(workspace, history, [("moves", moved), ("adds", {"part000/new.txt": "new\n"})])

    train = merge(workspace, tasks.values(), strategy=strategy)

    assert states(train) == ["merged", "conflict"], train.steps.get(position=2).output
    assert [file["path"] for file in train.steps.get(position=2).files] == ["pieces/new.txt"]


@pytest.mark.parametrize("commits_since", [0, 1])
def test_a_repository_that_is_bare_by_mistake_is_not_merged_into(
    home: Path, tmp_path: Path, commits_since: int
) -> None:
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    done = merge(workspace, [tasks["one"]])
    for number in range(commits_since):
        commit_file(history.repo, f"{number}.txt", "later\n")
    before = git(history.repo, "rev-parse", "main")
    git(history.repo, "config", "core.bare", "true")

    train = merge(workspace, [tasks["two"]])
    assert train.state == "stopped"
    assert "git --git-dir" in train.reason
    assert "core.bare false" in train.reason
    trains.undo_train(done)
    assert "core.bare false" in ride(done).reason
    assert git(history.repo, "rev-parse", "main") == before

    git(history.repo, "config", "core.bare", "false")
    assert git(history.repo, "status", "--porcelain") == ""
    trains.continue_train(train)
    assert states(ride(train)) == ["merged"]


def test_a_bare_repository_in_a_folder_named_dot_git_is_merged_into(home: Path, tmp_path: Path) -> None:
    small_repo(tmp_path / "full")
    (tmp_path / "project").mkdir()
    git(tmp_path, "clone", "-q", "--bare", "full", "project/.git")
    history = History(tmp_path / "project/.git")
    workspace = workspace_of(history.repo)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    train = merge(workspace, tasks.values())
    assert states(train) == ["merged"], train.reason
