"""Worktrees in odd states are removed without losing anything; what is somebody else's stays."""

from __future__ import annotations

import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from django.test import Client

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git, make_repo
from tasks.models import Run, Task
from tasks.repository import site_of
from tasks.review import verdicts
from tasks.tests.factories import make_run
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from tasks.worktrees import services as worktrees
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo), history


@pytest.fixture
def task(shop: tuple[Workspace, History], tmp_path: Path) -> Task:
    """A task with a worktree and one commit."""
    workspace, history = shop
    history.commit("one", changed(1, 2, "x"), parent="main").write()
    git(history.repo, "worktree", "add", "-q", str(tmp_path / "tree"), "one")
    return task_with(workspace, history.repo, "one", worktree_path=str(tmp_path / "tree"))


def test_new_files_that_git_status_is_told_to_hide_are_rescued(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    git(shop[1].repo, "config", "status.showUntrackedFiles", "no")
    (Path(task.worktree_path) / "new.txt").write_text("precious\n")
    verdict = verdicts.drop(task, user=None)
    assert git(shop[1].repo, "show", f"{verdict.rescue_ref}:new.txt") == "precious"


def test_a_drop_is_undone_with_what_was_not_committed(task: Task, shop: tuple[Workspace, History]) -> None:
    (Path(task.worktree_path) / "new.txt").write_text("precious\n")
    base = task.base_commit
    verdicts.drop(task, user=None)
    task.refresh_from_db()

    verdicts.restore(task)

    assert (task.status, task.base_commit) == ("review", base)
    assert (Path(task.worktree_path) / "new.txt").read_text() == "precious\n"
    assert git(shop[1].repo, "diff", "--name-only", base, task.branch).split() == [
        "new.txt",
        "part000/file00001.txt",
    ]
    with pytest.raises(Refused, match="nothing to restore"):
        verdicts.restore(task)


def test_a_branch_is_rescued_although_its_worktree_has_another_one(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    repo, tip = shop[1].repo, git(shop[1].repo, "rev-parse", "one")
    git(Path(task.worktree_path), "switch", "-q", "-c", "other", "main")
    verdicts.drop(task, user=None)
    assert tip in git(repo, "for-each-ref", "--format=%(objectname)", f"refs/aitask/rescue/{task.pk}/")


def test_a_repository_that_was_made_inside_a_worktree_outlives_it(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    inner = make_repo(Path(task.worktree_path) / "vendor" / "inner")
    commit = commit_file(inner, "deep.txt", "only here\n")
    git(inner, "switch", "-q", "-c", "side", "HEAD^")
    verdicts.drop(task, user=None)
    kept = git(shop[1].repo, "for-each-ref", "--contains", commit, "--format=%(refname)")
    assert "submodule-vendor-inner" in kept


def test_a_patch_can_be_applied_whatever_the_person_likes_diffs_to_look_like(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    repo, tree = shop[1].repo, Path(task.worktree_path)
    for name, value in {"diff.noprefix": "true", "diff.up.textconv": "tr a-z A-Z <"}.items():
        git(repo, "config", name, value)
    (tree / ".gitattributes").write_text("*.up diff=up\n")
    (tree / "some.up").write_text("small letters\n")
    (tree / "bytes.bin").write_bytes(bytes(range(256)))
    verdict = verdicts.drop(task, user=None)
    git(repo, "apply", "--index", verdict.patch_path)
    assert git(repo, "write-tree") == git(repo, "rev-parse", f"{verdict.rescue_ref}^{{tree}}")


def test_commits_of_a_worktree_that_is_gone_outlive_its_being_forgotten(
    shop: tuple[Workspace, History], tmp_path: Path
) -> None:
    workspace, history = shop
    git(history.repo, "worktree", "add", "-q", "--detach", str(tmp_path / "loose"))
    commit = commit_file(tmp_path / "loose", "loose.txt", "on no branch\n")
    shutil.rmtree(tmp_path / "loose")
    worktrees.prune(workspace)
    assert str(tmp_path / "loose") not in git(history.repo, "worktree", "list")
    assert "refs/aitask/rescue/worktrees/" in git(history.repo, "for-each-ref", "--contains", commit)


def test_the_branch_that_all_is_merged_into_is_never_a_task(
    shop: tuple[Workspace, History], tmp_path: Path
) -> None:
    workspace, history = shop
    git(history.repo, "switch", "-q", "-c", "develop")
    git(history.repo, "worktree", "add", "-q", str(tmp_path / "of main"), "main")
    with pytest.raises(Refused, match="base branch"):
        worktrees.adopt(workspace, str(tmp_path / "of main"), user=None)
    task = task_with(workspace, history.repo, "main", worktree_path=str(tmp_path / "of main"))
    with pytest.raises(Refused, match="not removed"):
        verdicts.drop(task, user=None)
    assert (tmp_path / "of main").exists()


@pytest.mark.parametrize("state", [Run.State.RUNNING, Run.State.SUCCEEDED])
def test_worktrees_of_another_workspaces_tasks_are_left_alone(
    task: Task, shop: tuple[Workspace, History], state: str
) -> None:
    make_run(task=task, state=state)
    other = workspace_of(shop[1].repo, name="the same repository")
    for verb in (worktrees.remove, lambda *words: worktrees.adopt(*words, user=None)):
        with pytest.raises(Refused):
            verb(other, task.worktree_path)
    assert Path(task.worktree_path).exists()
    (found,) = [s for s in worktrees.survey(other) if s.tree.path == task.worktree_path]
    assert (found.task, found.foreign) == (None, True)


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_changes_that_git_overlooks_are_counted_and_rescued(
    task: Task, shop: tuple[Workspace, History], mark: str
) -> None:
    tree, name = Path(task.worktree_path), "part000/file00003.txt"
    git(tree, "update-index", mark, name, "check.txt")
    (tree / name).write_text("precious\n")

    (state,) = [each for each in worktrees.survey(shop[0]) if each.tree.path == str(tree)]
    assert state.uncommitted == 1
    assert git(tree, "ls-files", "-v", name)[0] in "hS"
    verdict = verdicts.drop(task, user=None)
    assert git(shop[1].repo, "show", f"{verdict.rescue_ref}:{name}") == "precious"


def test_a_sparse_checkout_is_clean_and_its_rescue_is_whole(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    tree = Path(task.worktree_path)
    git(tree, "sparse-checkout", "set", "nothing")
    assert not (tree / "part000").exists()
    (state,) = [each for each in worktrees.survey(shop[0]) if each.tree.path == str(tree)]
    assert state.uncommitted == 0
    (tree / "check.txt").write_text("mine\n")
    verdict = verdicts.drop(task, user=None)
    changed_since = git(shop[1].repo, "diff", "--name-only", f"{verdict.rescue_ref}^", verdict.rescue_ref)
    assert changed_since == "check.txt"


def ignoring(task: Task, patterns: str) -> Path:
    tree = Path(task.worktree_path)
    commit_file(tree, ".gitignore", patterns)
    return tree


def test_ignored_files_come_back_with_a_discarded_task(task: Task, shop: tuple[Workspace, History]) -> None:
    tree = ignoring(task, "secret-src/\n*.local\nnode_modules/\n")
    for name in ("secret-src/deep/ü 'new'.py", "odd.local", "node_modules/x/index.js", "same.local"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("precious\n")
    (tree / "secret-src/link").symlink_to("deep")
    (shop[1].repo / "same.local").write_text("precious\n")
    (tree / "secret-src/run.sh").write_text("#!/bin/sh\n")
    (tree / "secret-src/run.sh").chmod(0o755)

    verdict = verdicts.drop(task, user=None)
    assert (verdict.ignored_path, verdict.not_kept) != ("", [])
    assert Path(verdict.ignored_path).stat().st_mode & 0o777 == 0o600
    task.refresh_from_db()
    verdicts.restore(task)

    task.refresh_from_db()
    again = Path(task.worktree_path)
    assert (again / "secret-src/deep/ü 'new'.py").read_text() == "precious\n"
    assert (again / "secret-src/link").is_symlink()
    assert (again / "secret-src/run.sh").stat().st_mode & 0o777 == 0o755
    assert (again / "odd.local").exists()
    assert not (again / "node_modules").exists()
    assert not (again / "same.local").exists()  # the main checkout has it


def test_an_ignored_file_that_is_too_large_is_named(task: Task, shop: tuple[Workspace, History]) -> None:
    tree = ignoring(task, "*.bin\n")
    with (tree / "huge.bin").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    (tree / "small.bin").write_text("x")
    verdict = verdicts.drop(task, user=None)
    assert verdict.not_kept == ["huge.bin"]
    assert verdict.ignored_path


def test_an_ignored_repository_is_kept_with_its_history(task: Task) -> None:
    tree = ignoring(task, "scratch/\n")
    make_repo(tree / "scratch")
    commit = git(tree / "scratch", "rev-parse", "HEAD")
    verdicts.drop(task, user=None)
    task.refresh_from_db()
    verdicts.restore(task)
    task.refresh_from_db()
    assert git(Path(task.worktree_path) / "scratch", "rev-parse", "HEAD") == commit


def test_an_archive_never_writes_outside_of_the_worktree(
    task: Task, shop: tuple[Workspace, History], tmp_path: Path
) -> None:
    tree = ignoring(task, "*.local\nout/\n")
    (tree / "out").mkdir()
    (tree / "out/x").write_text("precious\n")
    verdict = verdicts.drop(task, user=None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with tarfile.open(verdict.ignored_path, "w:gz") as tar:
        for name in ("../escaped", str(elsewhere / "absolute"), "link/through"):
            member = tarfile.TarInfo(name)
            if name == "link/through":
                link = tarfile.TarInfo("link")
                link.type, link.linkname = tarfile.SYMTYPE, str(elsewhere)
                tar.addfile(link)
            tar.addfile(member, BytesIO())
    task.refresh_from_db()
    verdicts.restore(task)
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "shop.worktrees/escaped").exists()


def test_a_link_in_place_of_an_ignored_folder_is_no_uncommitted_work(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    tree = ignoring(task, "node_modules/\n")
    (tree / "node_modules").symlink_to(shop[1].repo)
    (state,) = [each for each in worktrees.survey(shop[0]) if each.tree.path == str(tree)]
    assert state.uncommitted == 0


def test_commits_that_only_a_reflog_names_are_rescued(task: Task, shop: tuple[Workspace, History]) -> None:
    repo, tree = shop[1].repo, Path(task.worktree_path)
    dropped = commit_file(tree, "a.txt", "precious\n")
    deeper = commit_file(tree, "b.txt", "precious too\n")
    git(tree, "reset", "-q", "--hard", "HEAD~2")
    amended = commit_file(tree, "c.txt", "first\n")
    (tree / "c.txt").write_text("second\n")
    git(tree, "commit", "-q", "-a", "--amend", "--no-edit")

    verdicts.drop(task, user=None)

    for commit in (dropped, deeper, amended):
        assert git(repo, "for-each-ref", "--contains", commit, f"refs/aitask/rescue/{task.pk}/")


def test_a_worktree_without_lost_commits_leaves_one_rescue_ref(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    verdicts.drop(task, user=None)
    assert len(git(shop[1].repo, "for-each-ref", f"refs/aitask/rescue/{task.pk}/").splitlines()) == 1


def test_a_worktree_of_somebody_else_in_the_place_of_the_merge_worktree_stays(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    site = site_of(workspace)
    git(history.repo, "worktree", "add", "-q", "-b", "theirs", site.merge_worktree_path)
    mine = Path(site.merge_worktree_path) / "mine.txt"
    mine.write_text("precious\n")
    with pytest.raises(Refused, match="belongs there"):
        site.merge_worktree("main")
    assert mine.exists()


def test_starting_over_waits_for_ignored_files_that_are_too_large(task: Task) -> None:
    tree = ignoring(task, "*.bin\n")
    with (tree / "huge.bin").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(Refused, match=r"too large to be kept: huge\.bin"):
        verdicts.start_over(task, user=None)
    assert tree.exists()
    (tree / "huge.bin").unlink()
    assert verdicts.start_over(task, user=None).state == "queued"


def test_the_page_says_where_ignored_files_are_and_what_was_not_kept(
    task: Task, shop: tuple[Workspace, History]
) -> None:
    tree = ignoring(task, "*.bin\n")
    with (tree / "huge.bin").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    (tree / "small.bin").write_text("x")
    client = Client()
    client.force_login(shop[0].owner)
    page = client.get(f"/workspaces/{shop[0].pk}/worktrees/list").content.decode()
    assert "huge.bin, small.bin" in page
    headers = {"HX-Request": "true"}
    url = f"/workspaces/{shop[0].pk}/worktrees/remove"
    said = client.post(url, {"path": str(tree)}, headers=headers).headers["HX-Trigger"]
    assert "ignored.tar.gz" in said
    assert "Too large to be kept, and removed: huge.bin" in said
