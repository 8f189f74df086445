"""A stacked branch: what it is compared with, and how it follows the branch below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from aitask.tests.lab.repos import git
from tasks.models import Radar, Run, Task
from tasks.repository import site_of
from tasks.review import verdicts
from tasks.review.comparisons import view_of
from tasks.runs import launch
from tasks.tests.factories import make_run, make_task
from tasks.tests.order.scene import after
from tasks.tests.order.stack import Stack, is_accepted
from tasks.tests.review.riding import merge, states
from tasks.trains import conflicts, overlap, stacked
from workspaces.git import GitError
from workspaces.git.diffs import changed_files
from workspaces.tests.merging.repos import changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
FILE = next(iter(changed(1, 2, "x")))


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def files_of(task: Task, name: str = "base") -> list[str]:
    view = view_of(task)
    return [file.path for file in changed_files(view.site.host, view.range(name))]


def follow(stack: Stack) -> bool:
    moved = stacked.move_stacked(site_of(stack.workspace), stack.workspace)
    stack.read()
    return moved


class TestStart:
    def test_the_worktree_starts_from_the_tip_of_that_moment(self, stack: Stack) -> None:
        third = after(make_task(workspace=stack.workspace), stack.second, until="finished")
        tip = stack.work_on(stack.second, "late.txt", "late\n")
        tree = launch.worktree(third, site_of(stack.workspace))
        assert (tree.base_commit, third.base_commit) == (tip, tip)
        assert (Path(tree.path) / "late.txt").exists()

    def test_after_a_merge_it_starts_from_main(self, stack: Stack) -> None:
        merge(stack.workspace, [stack.first])
        third = after(make_task(workspace=stack.workspace), stack.first, until="finished")
        assert launch.worktree(third, site_of(stack.workspace)).base_commit == stack.tip("main")

    def test_a_task_may_start_from_a_branch_made_by_hand(self, stack: Stack) -> None:
        git(stack.repo, "branch", "by-hand", "second")
        task = make_task(workspace=stack.workspace, base_branch="by-hand")
        tree = launch.worktree(task, site_of(stack.workspace))
        assert tree.base_commit == stack.tip("by-hand")
        stack.work_on(task, "own.txt", "own\n")
        assert files_of(task) == ["own.txt"]

    def test_a_branch_that_does_not_exist_is_said(self, stack: Stack) -> None:
        task = make_task(workspace=stack.workspace, base_branch="nowhere")
        with pytest.raises(GitError, match="The base branch nowhere does not exist"):
            launch.worktree(task, site_of(stack.workspace))


class TestCompared:
    def test_with_the_branch_below_it(self, stack: Stack) -> None:
        assert files_of(stack.second) == ["second.txt"]
        assert files_of(stack.first) == [FILE]
        assert [commit.subject for commit in view_of(stack.second).read_commits()] == ["Second's work"]

    def test_also_after_that_was_squashed(self, stack: Stack) -> None:
        merge(stack.workspace, [stack.first], strategy="squash")
        assert files_of(stack.second) == ["second.txt"]

    def test_an_ordinary_task_is_compared_with_main_even_if_its_start_is_elsewhere(
        self, stack: Stack
    ) -> None:
        stack.second.dependencies.all().delete()
        assert sorted(files_of(stack.second)) == [FILE, "second.txt"]

    def test_the_overlap_check_counts_no_file_of_the_branch_below(self, stack: Stack) -> None:
        row = Radar.objects.create(workspace=stack.workspace)
        overlap.check_overlaps(row.pk)
        row.refresh_from_db()
        assert (row.reason, row.pairs) == ("", [])
        assert row.with_main[str(stack.second.pk)]["conflicts"] == []


class TestRestored:
    def test_it_stands_on_the_branch_below_again(self, stack: Stack) -> None:
        base = stack.second.base_commit
        verdicts.drop(stack.second, user=None)
        verdicts.restore(stack.second)
        stack.read()
        assert stack.second.base_commit == base
        assert files_of(stack.second) == ["second.txt"]


class TestFollowing:
    def test_nothing_moves_without_a_reason(self, stack: Stack) -> None:
        tip = stack.tip("second")
        assert not follow(stack)
        assert stack.tip("second") == tip

    def test_onto_a_new_commit(self, stack: Stack) -> None:
        old, new = stack.tip("second"), stack.work_on(stack.first, "more.txt", "more\n")
        assert follow(stack)
        assert (stack.tip("second^"), stack.second.base_commit) == (new, new)
        assert (Path(stack.second.worktree_path) / "more.txt").exists()
        assert git(Path(stack.second.worktree_path), "status", "--porcelain") == ""
        assert git(stack.repo, "log", "-1", "--format=%s %an", "second") == "Second's work Ada Lab"
        kept = git(
            stack.repo, "for-each-ref", "--format=%(objectname)", f"refs/aitask/rescue/{stack.second.pk}"
        )
        assert kept == old
        assert not follow(stack)

    def test_onto_an_amended_commit(self, stack: Stack) -> None:
        tree = Path(stack.first.worktree_path)
        (tree / FILE).write_text("all new\n")
        git(tree, "commit", "-qa", "--amend", "-m", "Otherwise")
        assert follow(stack)
        assert (Path(stack.second.worktree_path) / FILE).read_text() == "all new\n"
        assert files_of(stack.second) == ["second.txt"]

    @pytest.mark.parametrize("stays", [True, False])
    def test_a_move_that_is_not_saved_keeps_the_verdict_of_the_same_changes(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch, stays: bool
    ) -> None:
        class Killed(BaseException):
            pass

        def die(*_: object, **__: object) -> None:
            raise Killed

        stack.accept(stack.second)
        new = stack.work_on(stack.first, "more.txt", "more\n")
        with monkeypatch.context() as dying:
            dying.setattr(stacked, "_save", die)
            with pytest.raises(Killed):
                follow(stack)
        assert stack.tip("second^") == new
        if not stays:
            stack.work_on(stack.second, "unseen.txt", "unseen\n")
        assert follow(stack)
        assert stack.second.base_commit == new
        accepted = stack.second.verdict.commit == stack.tip("second")
        assert accepted == stays

    @pytest.mark.parametrize("strategy", ["squash", "rebase"])
    def test_onto_main_after_another_kind_of_merge(self, stack: Stack, strategy: str) -> None:
        (stack.repo / "main.txt").write_text("meanwhile\n")
        git(stack.repo, "add", "main.txt")
        git(stack.repo, "commit", "-qm", "Meanwhile")
        assert states(merge(stack.workspace, [stack.first], strategy=strategy)) == ["merged"]
        assert follow(stack)
        assert stack.tip("second^") == stack.tip("main") == stack.second.base_commit
        assert states(merge(stack.workspace, [stack.second])) == ["merged"]

    def test_after_a_merge_commit_it_stands_where_it_is(self, stack: Stack) -> None:
        tip = stack.tip("second")
        merge(stack.workspace, [stack.first])
        assert not follow(stack)
        assert stack.tip("second") == tip
        assert files_of(stack.second) == ["second.txt"]

    def test_the_same_changes_stay_accepted(self, stack: Stack) -> None:
        stack.accept(stack.second)
        stack.work_on(stack.first, "more.txt", "more\n")
        assert follow(stack)
        assert is_accepted(stack.second)
        assert stack.second.verdict.commit == stack.tip("second")

    def test_a_conflict_moves_nothing_and_is_shown(self, stack: Stack) -> None:
        tip = stack.tip("second")
        stack.work_on(stack.first, "second.txt", "mine\n")
        assert not follow(stack)
        assert stack.tip("second") == tip
        row = Radar.objects.create(workspace=stack.workspace)
        overlap.check_overlaps(row.pk)
        row.refresh_from_db()
        assert row.with_main[str(stack.second.pk)]["conflicts"] == ["second.txt"]

    def test_a_conflict_with_the_branch_below_is_resolved_by_an_agent(self, stack: Stack) -> None:
        new = stack.work_on(stack.first, "second.txt", "mine\n")
        run = conflicts.resolve(stack.second, user=None)
        assert "Your branch second conflicts with first." in run.prompt
        tree = Path(stack.second.worktree_path)
        (tree / "second.txt").write_text("both\n")
        git(tree, "add", "second.txt")
        git(tree, "commit", "-q", "--no-edit")
        Run.objects.filter(pk=run.pk).update(state="succeeded", finished_at=timezone.now())
        conflicts.settle(stack.second.resolution)
        stack.read()
        assert stack.second.resolution.state == "ready", stack.second.resolution.reason
        assert stack.second.base_commit == new
        assert files_of(stack.second) == ["second.txt"]
        merge(stack.workspace, [stack.first], strategy="squash")
        train = merge(stack.workspace, [stack.second])
        assert states(train) == ["merged"]
        assert git(stack.repo, "show", "main:second.txt") == "both"

    @pytest.mark.parametrize("state", ["queued", "starting", "running", "waiting"])
    def test_never_while_its_agent_works(self, stack: Stack, state: str) -> None:
        make_run(task=stack.second, state=state)
        stack.work_on(stack.first, "more.txt", "more\n")
        assert not follow(stack)

    def test_never_with_uncommitted_files(self, stack: Stack) -> None:
        (Path(stack.second.worktree_path) / "draft.txt").write_text("not yet\n")
        stack.work_on(stack.first, "more.txt", "more\n")
        tip = stack.tip("second")
        assert not follow(stack)
        assert stack.tip("second") == tip

    def test_a_move_that_was_interrupted_is_finished(self, stack: Stack) -> None:
        base = stack.second.base_commit
        new = stack.work_on(stack.first, "more.txt", "more\n")
        follow(stack)
        Task.objects.filter(pk=stack.second.pk).update(base_commit=base)
        tip = stack.tip("second")
        assert follow(stack)
        assert (stack.tip("second"), stack.second.base_commit) == (tip, new)

    def test_the_overlap_check_moves_it(self, stack: Stack) -> None:
        new = stack.work_on(stack.first, "more.txt", "more\n")
        row = Radar.objects.create(workspace=stack.workspace)
        overlap.check_overlaps(row.pk)
        stack.read()
        assert stack.second.base_commit == new
