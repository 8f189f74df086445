"""The commands: what they say, and their exit status."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from aitask.tests.lab.link import free_port
from aitask.tests.lab.repos import git
from tasks.review import verdicts
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import ride
from tasks.trains import services as trains
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo, name="shop"), history


def merge(*words: str) -> str:
    out = StringIO()
    call_command("merge_worktrees", "--workspace", "shop", *words, stdout=out)
    return out.getvalue()


def test_accepted_tasks_are_merged_and_taken_back_by_command(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    before = git(history.repo, "rev-parse", "main")
    files = [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))]
    tasks = make_tasks(workspace, history, files)
    verdicts.accept(tasks["one"], user=None)

    said = merge()

    assert "✓ Merged" in said
    assert "1 of 1 merged" in said
    assert "Do two" not in said
    train = workspace.trains.get()
    merge("--undo", str(train.pk))
    assert git(history.repo, "rev-parse", "main") == before


def test_a_train_goes_on_when_nobody_reads_what_it_prints(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    reads, writes = os.pipe()
    os.close(reads)

    with os.fdopen(writes, "w") as out:
        call_command("merge_worktrees", "--workspace", "shop", "--all", stdout=out)

    assert [step.state for step in workspace.trains.get().steps.all()] == ["merged", "merged"]


def test_files_that_tools_run_are_printed_by_content_before_the_train(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    workspace.check_command = "sh ./part000/file00002.txt || true"
    workspace.save()
    hook = {"package.json": "{}\n", ".husky/\x1b[2Jpre-commit": "x\n", "src/a.py": "x\n"}
    make_tasks(workspace, history, [("one", hook), ("two", changed(2, 2, "y")), ("three", {"b.txt": "b\n"})])
    blob = git(history.repo, "rev-parse", "one:package.json")[:10]
    old, new = (
        git(history.repo, "rev-parse", f"{ref}:part000/file00002.txt")[:10] for ref in ("main", "two")
    )

    said = merge("--all")

    before = said.partition("✓")[0]
    assert f"package.json (builds run it): new..{blob}" in before
    assert f"part000/file00002.txt (the setup or check command runs it): {old}..{new}" in before
    assert "pre-commit (git runs or obeys it)" in before
    assert "\x1b" not in before
    assert "src/a.py" not in before
    assert "Do three" not in before


def test_what_is_left_out_makes_the_command_fail(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    files = [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y")), ("three", changed(3, 3, "z"))]
    tasks = make_tasks(workspace, history, files)

    with pytest.raises(CommandError, match="1 left out"):
        merge("--all")
    unknown = max(task.pk for task in tasks.values()) + 1
    with pytest.raises(CommandError, match=f"no task {unknown}"):
        merge("--task", str(unknown))
    assert "would merge" in merge("--task", str(tasks["three"].pk), "--dry-run")


@pytest.mark.parametrize("words", [("--undo", "1", "--dry-run"), ("--undo", "0"), ("--task", "1", "--all")])
def test_words_that_contradict_each_other_change_nothing(
    shop: tuple[Workspace, History], words: tuple[str, ...]
) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    verdicts.accept(task, user=None)
    train = ride(trains.start_train(workspace, [task], user=None))
    with pytest.raises(CommandError):
        merge(*(str(train.pk) if word == "1" else word for word in words))
    assert git(history.repo, "rev-parse", "main") == train.tip


def test_nothing_to_merge_is_said(shop: tuple[Workspace, History]) -> None:
    with pytest.raises(CommandError, match="nothing to merge"):
        merge()
    with pytest.raises(CommandError, match="no workspace named nowhere"):
        call_command("merge_worktrees", "--workspace", "nowhere")


def test_a_host_that_is_away_is_said_and_waited_for_no_longer_than_asked(
    shop: tuple[Workspace, History], tmp_path: Path, settings: Settings
) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    train = trains.start_train(workspace, [task], user=None)
    config = tmp_path / "ssh_config"
    config.write_text(f"Host gone\n    HostName 127.0.0.1\n    Port {free_port()}\n")
    settings.SSH_CONFIG = str(config)
    Workspace.objects.update(kind="ssh", ssh_host="gone")

    out = StringIO()
    with pytest.raises(CommandError, match=f"Merge train #{train.pk} is still running"):
        call_command("merge_worktrees", "--workspace", "shop", "--timeout", "1", stdout=out)

    assert f"Merge train #{train.pk} is in progress and runs first." in out.getvalue()
    assert "… " in out.getvalue()
    assert "Retrying until it works" in out.getvalue()
    Workspace.objects.update(kind="local", ssh_host="")
    merge("--task", str(task.pk))
    assert git(history.repo, "log", "-1", "--format=%s", "main") == f"{task.title} (task {task.pk})"


def test_a_check_that_takes_longer_is_left_to_the_worker(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    workspace.check_command = "while ! test -e ../go; do sleep 0.05; done"
    workspace.save()
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    with pytest.raises(CommandError, match="is still running"):
        merge("--task", str(tasks["one"].pk), "--timeout", "0.5")
    (history.repo.with_name("shop.worktrees") / "go").touch()
    assert ride(workspace.trains.get()).state == "finished"


def test_pruning_lists_first_and_removes_only_what_is_finished(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    for branch, task in tasks.items():
        task.worktree_path = str(history.repo.parent / branch)
        task.save()
        git(history.repo, "worktree", "add", "-q", task.worktree_path, branch)
    merge("--task", str(tasks["one"].pk))

    out = StringIO()
    call_command("prune_worktrees", "--workspace", "shop", stdout=out)
    assert "remove" in out.getvalue()
    assert Path(tasks["one"].worktree_path).exists()

    call_command("prune_worktrees", "--workspace", "shop", "--yes", stdout=out)
    assert not Path(tasks["one"].worktree_path).exists()
    assert Path(tasks["two"].worktree_path).exists()
    assert git(history.repo, "for-each-ref", "--format=x", f"refs/aitask/rescue/{tasks['one'].pk}") == "x"


def test_pruning_keeps_ignored_files_or_says_why_it_does_not_remove(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    files = [("one", {".gitignore": "*.local\n"}), ("two", {"two.txt": "2\n"})]
    tasks = make_tasks(workspace, history, files)
    merge("--all")
    for branch, task in tasks.items():
        task.refresh_from_db()
        task.worktree_path = str(history.repo.parent / branch)
        task.save()
        git(history.repo, "branch", "-f", branch, "main")
        git(history.repo, "worktree", "add", "-q", task.worktree_path, branch)
    (Path(tasks["one"].worktree_path) / "mine.local").write_text("precious\n")
    huge = Path(tasks["two"].worktree_path) / "huge.local"
    with huge.open("wb") as file:
        file.truncate(65 * 1024 * 1024)

    out = StringIO()
    call_command("prune_worktrees", "--workspace", "shop", "--yes", stdout=out)

    assert "mine.local" in out.getvalue()
    assert "its ignored files as" in out.getvalue()
    assert "too large to be kept: huge.local" in out.getvalue()
    assert not Path(tasks["one"].worktree_path).exists()
    assert huge.exists()
