"""Merge trains keep the order of tasks, also when steps fail and when branches stand on each other."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.tests.lab.repos import git
from tasks.board.cards import cards_of
from tasks.models import Radar, Task
from tasks.tests.order.scene import after, judged
from tasks.tests.order.stack import Stack
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.tests.review.riding import merge, states
from tasks.trains import order as order_of_trains
from tasks.trains import overlap
from workspaces.tests.merging.repos import changed, first_parent_subjects


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], dict[int, list[int]]]:
    """Tasks in any order, each after some with lower numbers: without a circle."""
    count = draw(st.integers(1, 9))
    before = {
        number: sorted(draw(st.sets(st.integers(1, number - 1), max_size=3))) if number > 1 else []
        for number in range(1, count + 1)
    }
    return draw(st.permutations(range(1, count + 1))), before


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_every_order_has_predecessors_first_and_changes_nothing_without_need(
    graph: tuple[list[int], dict[int, list[int]]],
) -> None:
    given_order, before = graph
    found = [task.pk for task in order_of_trains._ordered([Task(pk=pk) for pk in given_order], before)]
    assert sorted(found) == sorted(given_order)
    assert all(found.index(each) < found.index(pk) for pk in found for each in before[pk])
    is_right = all(
        given_order.index(each) < given_order.index(pk) for pk in given_order for each in before[pk]
    )
    if is_right:
        assert found == given_order


class World:
    """Tasks a, b and c with one commit each, of which b comes after a, and c after b."""

    def __init__(self, folder: Path, **files: dict[str, str]) -> None:
        history = small_repo(folder / "shop")
        self.repo, self.before = history.repo, git(history.repo, "rev-parse", "main")
        self.workspace = workspace_of(self.repo, name="shop", check_command="grep -q good check.txt")
        given = {name: {f"{name}.txt": name} for name in "abc"} | files
        tasks = make_tasks(self.workspace, history, list(given.items()))
        self.a, self.b, self.c = (tasks[name] for name in "abc")
        after(self.b, self.a)
        after(self.c, self.b)

    def subjects(self) -> list[str]:
        return [line.partition(" (")[0] for line in first_parent_subjects(self.repo, self.before)]


@pytest.mark.django_db
@pytest.mark.one_database
class TestOrder:
    @pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
    def test_whatever_the_order_of_the_request(self, home: Path, tmp_path: Path, strategy: str) -> None:
        world = World(tmp_path)
        train = merge(world.workspace, [world.c, world.b, world.a], strategy=strategy)
        assert states(train) == ["merged", "merged", "merged"]
        assert [step.task for step in train.steps.all()] == [world.a, world.b, world.c]

    @pytest.mark.parametrize("kind", ["conflict", "check_failed"])
    def test_who_comes_after_a_failed_step_is_left_out(self, home: Path, tmp_path: Path, kind: str) -> None:
        bad = {"check.txt": "bad\n"} if kind == "check_failed" else changed(1, 3, "theirs")
        world = World(tmp_path, a=bad)
        if kind == "conflict":
            file, content = next(iter(changed(1, 3, "ours").items()))
            (world.repo / file).write_text(content)
            git(world.repo, "commit", "-qam", "Meanwhile")
        train = merge(world.workspace, [world.a, world.b, world.c])
        assert states(train) == [kind, "left_out", "left_out"]
        said = f"It comes after #{world.a.pk} “Do a”, which this train has not merged."
        assert train.steps.get(task=world.b).reason == said

    def test_an_accepted_predecessor_is_taken_along(self, home: Path, tmp_path: Path) -> None:
        world = World(tmp_path)
        for task in (world.a, world.b):
            judged(task, "accepted")
        train = merge(world.workspace, [world.c])
        assert [step.task for step in train.steps.all()] == [world.a, world.b, world.c]
        assert states(train) == ["merged"] * 3

    def test_one_that_nobody_accepted_is_not_taken_along(self, home: Path, tmp_path: Path) -> None:
        world = World(tmp_path)
        train = merge(world.workspace, [world.b])
        assert states(train) == ["left_out"]
        assert "which is not merged. Accept that task to merge both." in train.steps.get().reason
        assert world.subjects() == []

    def test_a_dry_run_keeps_the_order_too(self, home: Path, tmp_path: Path) -> None:
        world = World(tmp_path, a={"check.txt": "bad\n"})
        train = merge(world.workspace, [world.c, world.b, world.a], dry_run=True)
        assert states(train) == ["check_failed", "left_out", "left_out"]
        good = World(tmp_path / "other")
        assert states(merge(good.workspace, [good.b, good.a], dry_run=True)) == ["clean", "clean"]

    def test_after_a_discarded_task_the_dependency_has_to_go_first(self, home: Path, tmp_path: Path) -> None:
        world = World(tmp_path)
        judged(world.a, "dropped", "done")
        train = merge(world.workspace, [world.b])
        assert "which was discarded. Remove it from “After”" in train.steps.get().reason
        world.b.dependencies.all().delete()
        assert states(merge(world.workspace, [world.b])) == ["merged"]

    def test_names_that_windows_refuses_stop_a_step_where_the_workspace_says_so(
        self, home: Path, tmp_path: Path
    ) -> None:
        world = World(tmp_path, a={"src/aux.c": "x\n", "A.txt": "x\n"}, b={"b.txt": "b"}, c={"c.txt": "c"})
        world.workspace.require_portable_names = True
        world.workspace.save()
        train = merge(world.workspace, [world.a, world.c])
        assert train.steps.get(task=world.a).state == "left_out"
        said = train.steps.get(task=world.a).reason
        assert said == "Windows can't check out src/aux.c: Windows reserves the name aux.c."
        world.workspace.require_portable_names = False
        world.workspace.save()
        assert states(merge(world.workspace, [world.a])) == ["merged"]

    def test_the_command_keeps_the_order(self, home: Path, tmp_path: Path) -> None:
        world, out = World(tmp_path), StringIO()
        names = [f"--task={task.pk}" for task in (world.c, world.a, world.b)]
        call_command("merge_worktrees", "--workspace", "shop", *names, stdout=out)
        assert world.subjects() == ["Do a", "Do b", "Do c"]
        with pytest.raises(CommandError):
            call_command("merge_worktrees", "--workspace", "shop", stdout=StringIO())


@pytest.mark.django_db
@pytest.mark.one_database
class TestStacked:
    @pytest.fixture
    def stack(self, home: Path, tmp_path: Path) -> Stack:
        return Stack(tmp_path)

    @pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
    def test_both_in_one_train(self, stack: Stack, strategy: str) -> None:
        before = stack.tip("main")
        train = merge(stack.workspace, [stack.second, stack.first], strategy=strategy)
        assert states(train) == ["merged", "merged"], [step.reason for step in train.steps.all()]
        assert git(stack.repo, "show", "main:second.txt") == "from the second"
        assert git(stack.repo, "fsck", "--no-dangling") == ""
        files = git(stack.repo, "diff", "--name-only", train.steps.get(position=1).candidate, "main")
        assert files == "second.txt"
        assert len(first_parent_subjects(stack.repo, before)) == 2

    @pytest.mark.parametrize("then", ["merge", "squash", "rebase"])
    def test_one_after_the_other_was_squashed_and_main_went_on_in_its_file(
        self, stack: Stack, then: str
    ) -> None:
        assert states(merge(stack.workspace, [stack.first], strategy="squash")) == ["merged"]
        file, content = next(iter(changed(1, 2, "written again on main").items()))
        (stack.repo / file).write_text(content)
        git(stack.repo, "commit", "-qam", "Again")
        train = merge(stack.workspace, [stack.second], strategy=then)
        assert states(train) == ["merged"], train.steps.get().output
        assert git(stack.repo, "show", f"main:{file}").splitlines()[2] == "written again on main"

    def test_what_was_taken_out_after_the_review_does_not_come_back(self, stack: Stack) -> None:
        tree = stack.first.worktree_path
        git(Path(tree), "reset", "-q", "--hard", "main")
        stack.work_on(stack.first, "other.txt", "something else\n")
        train = merge(stack.workspace, [stack.first, stack.second])
        assert states(train) == ["merged", "merged"]
        assert "from the first" not in git(stack.repo, "show", "main:part000/file00001.txt")

    def test_commits_after_the_merge_raise_the_card_again_with_a_badge(self, stack: Stack) -> None:
        merge(stack.workspace, [stack.first])
        row = Radar.objects.get(workspace=stack.workspace)
        overlap.check_overlaps(row.pk)
        stack.read()
        assert stack.first.status == "done"
        stack.work_on(stack.first, "late.txt", "late\n")
        overlap.check_overlaps(row.pk)
        stack.read()
        assert stack.first.status == "review"
        [card] = cards_of([stack.first])
        assert "changed since merge" in [mark.text for mark in card.shown_marks]
        merge(stack.workspace, [stack.first])
        stack.read()
        [card] = cards_of([stack.first])
        assert "changed since merge" not in [mark.text for mark in card.marks]

    def test_a_conflict_of_the_own_commits_is_a_conflict(self, stack: Stack) -> None:
        merge(stack.workspace, [stack.first], strategy="squash")
        (stack.repo / "second.txt").write_text("mine\n")
        git(stack.repo, "add", "second.txt")
        git(stack.repo, "commit", "-qm", "Mine")
        train = merge(stack.workspace, [stack.second])
        assert states(train) == ["conflict"]
        assert [file["path"] for file in train.steps.get().files] == ["second.txt"]

    def test_without_own_commits_there_is_nothing_to_merge(self, stack: Stack) -> None:
        git(Path(stack.second.worktree_path), "reset", "-q", "--hard", "first")
        merge(stack.workspace, [stack.first], strategy="squash")
        assert states(merge(stack.workspace, [stack.second])) == ["nothing"]
