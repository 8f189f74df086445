"""A run of a task that comes after others waits in the queue, says why, and starts by itself."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks import editing, services
from tasks.models import Dependency, Run, Task, Verdict
from tasks.order.predecessors import start_of
from tasks.runs import dispatch, endings
from tasks.runs import services as run_services
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.tests.order.scene import after, ended, finished, judged, merged, queued
from tasks.verbs import possible
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def commit(django_capture_on_commit_callbacks: Any) -> Any:
    with django_capture_on_commit_callbacks(execute=True):
        yield


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace(max_parallel_runs=500)


def reason(run: Run) -> str:
    dispatch.start_queued(run.task.workspace_id)
    run.refresh_from_db()
    return "started" if run.state != Run.State.QUEUED else run.reason


def waiting_after(first: Task, until: str = "merged") -> Run:
    return queued(after(make_task(workspace=first.workspace), first, until=until))


class TestUntilMerged:
    def test_it_waits_with_the_name_of_the_other_task(self, workspace: Workspace) -> None:
        first = make_task(workspace=workspace, title="Make the table")
        assert reason(waiting_after(first)) == f"Waits for #{first.pk} “Make the table” to be merged."

    def test_a_finished_task_is_not_merged_yet(self, workspace: Workspace) -> None:
        assert "to be merged" in reason(waiting_after(finished(workspace=workspace)))

    def test_an_accepted_task_is_not_merged_yet(self, workspace: Workspace) -> None:
        first = judged(finished(workspace=workspace), Verdict.Kind.ACCEPTED)
        assert "to be merged" in reason(waiting_after(first))

    def test_it_starts_when_all_are_merged(self, workspace: Workspace) -> None:
        first, second = merged(workspace=workspace), finished(workspace=workspace)
        run = queued(after(make_task(workspace=workspace), first, second))
        assert reason(run) == f"Waits for #{second.pk} “{second.title}” to be merged."
        judged(second, Verdict.Kind.MERGED, Task.Status.DONE)
        assert reason(run) == "started"

    def test_an_archived_merged_task_is_merged(self, workspace: Workspace) -> None:
        first = merged(workspace=workspace)
        Task.objects.filter(pk=first.pk).update(archived_at=timezone.now())
        assert reason(waiting_after(first)) == "started"

    def test_many_are_counted(self, workspace: Workspace) -> None:
        tasks = [make_task(workspace=workspace, title=f"t{number}") for number in range(5)]
        said = reason(queued(after(make_task(workspace=workspace), *tasks)))
        assert "“t0”, " in said
        assert said.endswith("“t1” and 3 more tasks to be merged.")

    def test_a_long_title_is_cut(self, workspace: Workspace) -> None:
        assert len(reason(waiting_after(make_task(workspace=workspace, title="x" * 200)))) < 120


class TestUntilFinished:
    def test_it_waits_for_the_end_of_the_run(self, workspace: Workspace) -> None:
        first = make_task(workspace=workspace, title="A", status="running")
        run = make_run(task=first, state=Run.State.RUNNING, started_at=timezone.now())
        second = waiting_after(first, "finished")
        assert reason(second) == f"Waits for #{first.pk} “A” to finish."
        Task.objects.filter(pk=first.pk).update(branch="aitask/a")
        endings.note_outcome(run.pk, {"state": "succeeded", "reason_code": "", "reason": ""})
        assert reason(second) == "started"

    def test_it_starts_from_the_branch_of_the_other_task(self, workspace: Workspace) -> None:
        first = finished(workspace=workspace, branch="aitask/first")
        task = after(make_task(workspace=workspace), first, until="finished")
        assert start_of(task) == "aitask/first"
        judged(first, Verdict.Kind.MERGED, Task.Status.DONE)
        assert start_of(task) == workspace.base_branch

    def test_a_follow_up_of_the_other_task_is_waited_for(self, workspace: Workspace) -> None:
        first = finished(workspace=workspace)
        make_run(task=first, state=Run.State.QUEUED)
        assert "to finish" in reason(waiting_after(first, "finished"))

    def test_a_run_that_was_unqueued_says_nothing(self, workspace: Workspace) -> None:
        first = finished(workspace=workspace)
        make_run(task=first, state=Run.State.CANCELLED)
        assert reason(waiting_after(first, "finished")) == "started"


class TestWhatDoesNotGoOn:
    @pytest.mark.parametrize("until", ["merged", "finished"])
    @pytest.mark.parametrize(
        ("state", "words"),
        [("failed", "failed"), ("lost", "failed"), ("cancelled", "was cancelled")],
    )
    def test_a_run_that_did_not_succeed_is_said(
        self, workspace: Workspace, state: str, words: str, until: str
    ) -> None:
        first = ended(state, workspace=workspace, title="A")
        said = reason(waiting_after(first, until))
        assert said.startswith(f"The last run of #{first.pk} “A” {words}. Run it again, remove it")

    def test_what_was_accepted_in_spite_of_a_failed_run_is_finished(self, workspace: Workspace) -> None:
        first = judged(ended("failed", workspace=workspace), Verdict.Kind.ACCEPTED)
        assert reason(waiting_after(first, "finished")) == "started"

    def test_discarded_closed_and_deleted_are_said_with_what_can_be_done(self, workspace: Workspace) -> None:
        dropped = judged(finished(workspace=workspace), Verdict.Kind.DROPPED, Task.Status.DONE)
        closed = finished(workspace=workspace)
        Task.objects.filter(pk=closed.pk).update(status=Task.Status.DONE)
        deleted = finished(workspace=workspace)
        runs = [waiting_after(each) for each in (dropped, closed, deleted)]
        services.delete_task(deleted)
        for run, words in zip(runs, ["discarded", "closed without being merged", "deleted"], strict=True):
            said = reason(run)
            assert f"was {words}. Remove it from “After”, or start this task anyway." in said

    def test_without_the_dependency_it_starts_at_once(self, workspace: Workspace) -> None:
        run = waiting_after(make_task(workspace=workspace))
        assert reason(run) != "started"
        editing.update_task(run.task, after=[])
        assert reason(run) == "started"

    def test_start_anyway(self, workspace: Workspace) -> None:
        run = waiting_after(make_task(workspace=workspace))
        assert "start-anyway" in possible(run.task, run)
        run_services.start_anyway(run.task)
        assert reason(run) == "started"
        assert run.task.dependencies.count() == 1

    def test_start_anyway_is_only_for_those_who_wait_for_others(self, workspace: Workspace) -> None:
        run = queued(make_task(workspace=workspace))
        assert "start-anyway" not in possible(run.task, run)
        with pytest.raises(Refused, match="does not wait"):
            run_services.start_anyway(run.task)


class TestWhoWaits:
    def test_a_task_that_has_its_branch_goes_on_with_it(self, workspace: Workspace) -> None:
        first = make_task(workspace=workspace)
        run = queued(after(make_task(workspace=workspace, branch="aitask/9"), first))
        assert reason(run) == "started"

    def test_who_waits_takes_no_slot(self) -> None:
        workspace = make_workspace(max_parallel_runs=1)
        waiting_after(make_task(workspace=workspace))
        free = queued(make_task(workspace=workspace, rank=10**6))
        assert reason(free) == "started"

    def test_the_end_of_a_predecessors_run_starts_who_waits(self, workspace: Workspace) -> None:
        first = make_task(workspace=workspace, status="running", branch="aitask/a")
        run = make_run(task=first, state=Run.State.RUNNING, started_at=timezone.now())
        second = waiting_after(first, "finished")
        endings.note_outcome(run.pk, {"state": "succeeded", "reason_code": "", "reason": ""})
        assert reason(second) == "started"

    def test_queueing_a_task_that_waits_is_no_error(self, workspace: Workspace) -> None:
        task = after(make_task(workspace=workspace), make_task(workspace=workspace))
        run_services.queue_run(task, user=make_user())
        task.refresh_from_db()
        assert task.status == Task.Status.QUEUED


class TestManyTasks:
    """200 tasks with 300 dependencies."""

    @pytest.fixture
    def crowd(self, workspace: Workspace) -> list[Task]:
        tasks = [make_task(workspace=workspace) for _ in range(200)]
        for task in tasks[1:]:
            queued(task)
        pairs = [(number, number - 1) for number in range(1, 200)]
        pairs += [(number, number - 2) for number in range(2, 103)]
        assert len(pairs) == 300
        Dependency.objects.bulk_create(
            Dependency(task=tasks[left], predecessor=tasks[right], number=tasks[right].pk, title="x")
            for left, right in pairs
        )
        return tasks

    def test_a_round_has_few_queries_and_takes_little_time(
        self, workspace: Workspace, crowd: list[Task]
    ) -> None:
        assert dispatch.start_queued(workspace.pk) == []  # writes the reasons
        with CaptureQueriesContext(connection) as queries:
            assert dispatch.start_queued(workspace.pk) == []
        assert len(queries) < 15
        took = []
        for _ in range(5):
            began = time.process_time()
            dispatch.start_queued(workspace.pk)
            took.append(time.process_time() - began)
        print(f"a round of 200 tasks with 300 dependencies: {min(took) * 1000:.1f} ms")
        assert min(took) < 0.05
