"""Accept, drop, start over, undo: what a person decides, and that nothing is ever lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git
from tasks.models import Resolution, Run, Task, Verdict
from tasks.review import verdicts
from tasks.review.comparisons import view_of
from tasks.tests.factories import make_run, make_user
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, task_with, workspace_of
from tasks.tests.review.riding import merge, ride, states
from tasks.trains import after_run, conflicts
from tasks.trains import services as trains
from tasks.trains.services import is_unmerged
from tasks.worktrees import services as worktrees
from workspaces.git.diffs import changed_files
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo, check_command=CHECK), history


def with_worktree(workspace: Workspace, history: History, branch: str, files: dict[str, str]) -> Task:
    """A task whose worktree is there, too."""
    history.commit(branch, files, parent="main").write()
    path = history.repo.parent / f"{branch} tree"
    git(history.repo, "worktree", "add", "-q", str(path), branch)
    return task_with(workspace, history.repo, branch, worktree_path=str(path))


def test_a_branch_that_moves_after_it_was_accepted_is_left_out(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    verdicts.accept(task, user=make_user())
    assert trains.accepted(workspace) == [task]
    commit_file(Path(task.worktree_path), "late.txt", "late\n")

    train = merge(workspace, [task])

    assert states(train) == ["left_out"]
    assert "changed since it was accepted" in train.steps.get().reason
    verdicts.accept(task, user=None)
    assert states(merge(workspace, [task])) == ["merged"]


def test_a_live_run_keeps_a_task_out(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    make_run(task=task, state=Run.State.RUNNING)
    with pytest.raises(Refused, match="run of this task is in progress"):
        verdicts.accept(task, user=None)
    assert states(merge(workspace, [task])) == ["left_out"]


@pytest.mark.parametrize("state", [Run.State.QUEUED, Run.State.RUNNING])
def test_nothing_is_decided_about_work_that_goes_on(shop: tuple[Workspace, History], state: str) -> None:
    workspace, history = shop
    task = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])["one"]
    verdicts.accept(task, user=None)
    make_run(task=task, state=state)
    for decide in (verdicts.accept, verdicts.drop, verdicts.start_over):
        with pytest.raises(Refused, match="run of this task is"):
            decide(task, user=None)
    with pytest.raises(Refused, match="run of this task is"):
        verdicts.request_changes(task, "Otherwise, please.", user=None)
    assert trains.is_accepted(task)


def test_a_second_click_on_merge_makes_no_second_train(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = list(make_tasks(workspace, history, [("one", changed(1, 2, "x"))]).values())
    train = trains.start_train(workspace, tasks, user=None)
    with pytest.raises(Refused, match=f"already in merge train #{train.pk}"):
        trains.start_train(workspace, tasks, user=None)
    assert states(ride(train)) == ["merged"]


def test_a_branch_without_commits_is_not_accepted(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tree = history.repo.parent / "tree"
    git(history.repo, "worktree", "add", "-q", "-b", "empty", str(tree), "main")
    task = task_with(workspace, history.repo, "empty", worktree_path=str(tree))
    with pytest.raises(Refused, match=r"no commits of its own.*Request changes"):
        verdicts.accept(task, user=None)
    (tree / "loose.txt").write_text("loose\n")
    with pytest.raises(Refused, match=r"Uncommitted files in its worktree: 1\."):
        verdicts.accept(task, user=None)


def test_dropping_keeps_all_of_it_in_a_rescue_ref_and_a_patch(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    tree = Path(task.worktree_path)
    (tree / "not committed.txt").write_text("precious\n")

    verdict = verdicts.drop(task, user=None)

    assert not tree.exists()
    assert git(history.repo, "branch", "--list", "one") == ""
    assert git(history.repo, "show", f"{verdict.rescue_ref}:not committed.txt") == "precious"
    assert f"{task.pk}/" in verdict.rescue_ref
    patch = Path(verdict.patch_path).read_text()
    assert "+precious" in patch
    assert "+x" in patch
    task.refresh_from_db()
    assert (task.status, task.branch) == ("done", "")


def test_starting_over_queues_a_run_without_the_old_branch(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    tip = git(history.repo, "rev-parse", "one")

    run = verdicts.start_over(task, user=None)

    assert (run.resumes, task.branch) == ("", "")
    assert tip in git(history.repo, "for-each-ref", "refs/aitask/rescue")


def resolving(shop: tuple[Workspace, History]) -> tuple[Task, Run]:
    """A task that conflicts with main, handed to its agent."""
    workspace, history = shop
    task = with_worktree(workspace, history, "two", changed(1, 2, "theirs"))
    other = make_tasks(workspace, history, [("one", changed(1, 2, "ours"))])["one"]
    assert states(merge(workspace, [other, task])) == ["merged", "conflict"]
    run = conflicts.resolve(task, user=None)
    return task, run


def finish(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=Run.State.SUCCEEDED)
    after_run.inspect_branch(run.task_id)


def test_a_conflict_that_the_agent_resolved_waits_to_be_accepted_and_then_rejoins(
    shop: tuple[Workspace, History],
) -> None:
    task, run = resolving(shop)
    file = Path(task.worktree_path) / "part000/file00001.txt"
    assert "<<<<<<<" in file.read_text()
    assert "part000/file00001.txt" in run.prompt
    assert "Task" in run.prompt

    file.write_text("ours and theirs\n")
    finish(run)

    resolution = Resolution.objects.get()
    assert (resolution.state, resolution.train) == ("ready", None), resolution.reason
    assert not Verdict.objects.filter(task=task).exists()
    train = conflicts.accept_resolution(task, user=None)
    assert states(ride(train)) == ["merged"]
    resolution.refresh_from_db()
    assert (resolution.state, resolution.train) == ("done", train)
    assert (shop[1].repo / "part000/file00001.txt").read_text() == "ours and theirs\n"


def test_the_difference_is_all_that_the_agent_wrote_to_resolve_it(shop: tuple[Workspace, History]) -> None:
    task, run = resolving(shop)
    folder = Path(task.worktree_path)
    (folder / "part000/file00001.txt").write_text("ours and theirs\n")
    (folder / "smuggled.txt").write_text("nobody asked for this\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--no-edit")
    finish(run)

    view = view_of(task)
    changed_paths = [file.path for file in changed_files(view.site.host, view.range("resolved"))]
    assert sorted(changed_paths) == ["part000/file00001.txt", "smuggled.txt"]


def test_what_came_after_the_resolution_is_not_accepted_with_it(shop: tuple[Workspace, History]) -> None:
    task, run = resolving(shop)
    folder = Path(task.worktree_path)
    (folder / "part000/file00001.txt").write_text("ours and theirs\n")
    finish(run)
    (folder / "later.txt").write_text("x")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Later")
    with pytest.raises(Refused, match="has changed since the agent resolved"):
        conflicts.accept_resolution(task, user=None)
    assert not Verdict.objects.filter(task=task).exists()
    assert not git(shop[1].repo, "log", "--format=%s", "main").startswith("Later")


def test_without_a_resolved_conflict_there_is_nothing_to_accept(shop: tuple[Workspace, History]) -> None:
    task, _ = resolving(shop)
    with pytest.raises(Refused, match="No resolved conflict"):
        conflicts.accept_resolution(task, user=None)


def test_leftover_markers_keep_the_task_out(shop: tuple[Workspace, History]) -> None:
    task, run = resolving(shop)
    git(Path(task.worktree_path), "add", "-A")
    git(Path(task.worktree_path), "commit", "-q", "--no-edit")

    finish(run)

    resolution = Resolution.objects.get()
    assert resolution.state == "failed"
    assert "markers are left in part000/file00001.txt" in resolution.reason
    assert resolution.train is None


def test_a_conflict_without_markers_is_not_resolved_by_doing_nothing(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    path = "part000/file00001.txt"
    history.commit("two", {path: None}, parent="main").write()
    tree = history.repo.parent / "tree of two"
    git(history.repo, "worktree", "add", "-q", str(tree), "two")
    task = task_with(workspace, history.repo, "two", worktree_path=str(tree))
    other = make_tasks(workspace, history, [("one", changed(1, 2, "ours"))])["one"]
    assert states(merge(workspace, [other, task])) == ["merged", "conflict"]

    run = conflicts.resolve(task, user=None)
    assert f"{path} (deleted on the branch, changed on main: decide what stays)" in run.prompt
    finish(run)

    resolution = Resolution.objects.get(task=task)
    assert (resolution.state, path in resolution.reason) == ("failed", True)
    assert git(history.repo, "show", f"main:{path}") != ""

    again = conflicts.resolve(task, user=None)  # goes on with the merge that is under way in the worktree
    assert path in again.prompt
    git(tree, "rm", "-q", path)
    finish(again)
    resolution.refresh_from_db()
    assert (resolution.state, resolution.reason) == ("ready", "")


def test_worktrees_are_listed_adopted_and_removed_safely(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    outside = history.repo.parent / "by hand ü"
    git(history.repo, "worktree", "add", "-q", "-b", "by-hand", str(outside))
    commit_file(outside, "hand.txt", "made by hand\n", "Made by hand")
    (outside / "loose.txt").write_text("loose\n")

    found = {standing.tree.path: standing for standing in worktrees.survey(workspace)}
    assert found[task.worktree_path].task == task
    assert found[str(outside)].uncommitted == 1
    assert (found[str(outside)].ahead, found[str(outside)].behind) == (1, 0)
    assert found[str(history.repo)].obstacle == "main worktree"

    adopted = worktrees.adopt(workspace, str(outside), user=None)
    assert (adopted.title, adopted.status, adopted.branch) == ("Made by hand", "review", "by-hand")
    assert (adopted.files_changed, adopted.lines_added, adopted.lines_deleted) == (1, 1, 0)

    rescued = worktrees.remove(workspace, str(outside))
    assert not outside.exists()
    assert git(history.repo, "show", f"{rescued.ref}:loose.txt") == "loose"
    assert git(history.repo, "branch", "--list", "by-hand") != ""
    with pytest.raises(Refused):
        worktrees.remove(workspace, str(history.repo))


def test_only_finished_worktrees_are_pruned(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    merged = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    open_task = with_worktree(workspace, history, "two", changed(2, 2, "y"))
    assert states(merge(workspace, [merged])) == ["merged"]
    assert Verdict.objects.get(task=merged).kind == "merged"

    finished = [standing.task for standing in worktrees.survey(workspace) if standing.is_finished]
    assert finished == [merged]
    (Path(merged.worktree_path) / "loose.txt").write_text("loose\n")
    assert not [standing for standing in worktrees.survey(workspace) if standing.is_finished]
    assert Path(open_task.worktree_path).exists()


def test_an_acceptance_ends_with_the_next_run_that_changes_something(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    verdicts.accept(task, user=None)
    after_run.inspect_branch(task.pk)
    assert trains.is_accepted(task)

    commit = commit_file(Path(task.worktree_path), "late.txt", "late\n")
    make_run(task=task, state="succeeded", commit=commit)
    after_run.inspect_branch(task.pk)
    assert not trains.is_accepted(task)


@pytest.mark.parametrize("kind", [Verdict.Kind.MERGED, Verdict.Kind.DROPPED])
def test_what_a_run_adds_to_a_settled_task_is_to_be_judged_anew(
    shop: tuple[Workspace, History], kind: str
) -> None:
    workspace, history = shop
    task = with_worktree(workspace, history, "one", changed(1, 2, "x"))
    Verdict.objects.create(task=task, kind=kind, commit=git(history.repo, "rev-parse", "one"))
    after_run.inspect_branch(task.pk)
    assert Verdict.objects.filter(task=task, kind=kind).exists()

    commit = commit_file(Path(task.worktree_path), "late.txt", "late\n")
    make_run(task=task, state="succeeded", commit=commit, finished_at=timezone.now())
    after_run.inspect_branch(task.pk)

    assert not Verdict.objects.filter(task=task).exists()
    assert is_unmerged(task)
