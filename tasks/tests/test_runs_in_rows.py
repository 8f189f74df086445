"""Queueing, starting, cancelling and ending runs, as far as the database goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.utils import timezone
from django_q.brokers import get_broker

from aitask.lib import leases, queue
from aitask.lib.errors import Refused
from tasks import editing, services
from tasks.models import Event, Run, Task
from tasks.runs import dispatch, endings, jobs
from tasks.runs import services as run_services
from tasks.runs.follower import repairs
from tasks.runs.follower.store import save_events
from tasks.runs.follower.watch import HostWatch, runs_to_follow
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from workspaces.models import BackendHold, Host

pytestmark = pytest.mark.django_db


def line(seq: int, kind: str = "text", **data: Any) -> dict[str, Any]:
    return {"v": 1, "seq": seq, "at": "2026-11-22T08:00:00Z", "kind": kind, **data}


def jobs_sent() -> int:
    return int(get_broker().queue_size())


def times_queued(job: Callable[[int], None], run: Run) -> int:
    return list(queue._calls(get_broker().waiting())).count((queue.path_of(job), (run.pk,)))


def end(run: Run, **outcome: Any) -> Run:
    endings.note_outcome(run.pk, {"state": "succeeded", "reason_code": "", "reason": "", **outcome})
    run.refresh_from_db()
    return run


@pytest.fixture(autouse=True)
def empty_queue(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    get_broker().purge_queue()
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def commit(django_capture_on_commit_callbacks: Any) -> Any:
    """Run what is to happen after the commit, as it would outside of a test."""
    with django_capture_on_commit_callbacks(execute=True):
        yield


class TestCreating:
    def test_a_task_takes_the_workspace_defaults(self) -> None:
        workspace = make_workspace(
            default_backend="codex", default_model="m1", default_reasoning_effort="high"
        )
        task = services.create_task(workspace, None, services.TaskFields(prompt="# Do it\nwell"))
        assert (task.title, task.backend, task.model, task.reasoning_effort) == (
            "Do it",
            "codex",
            "m1",
            "high",
        )

    def test_another_cli_does_not_get_the_default_model_of_the_first(self) -> None:
        workspace = make_workspace(default_backend="codex", default_model="m1")
        assert (
            services.create_task(workspace, None, services.TaskFields(title="x", backend="claude_code")).model
            == ""
        )

    def test_lines_of_dashes_part_several_tasks(self) -> None:
        text = "One\nmore\n---\n\nTwo\r\n---\r\nThree"
        tasks = services.create_tasks_from_text(workspace=make_workspace(), user=make_user(), text=text)
        assert [task.title for task in tasks] == ["One", "Two", "Three"]
        assert tasks[0].prompt == "One\nmore"

    def test_too_many_tasks_at_once_are_refused_with_the_limit(self) -> None:
        workspace, user = make_workspace(), make_user()
        with pytest.raises(Refused, match="At most 100 can be created"):
            services.create_tasks_from_text(workspace=workspace, user=user, text="x\n---\n" * 101)
        assert not workspace.tasks.exists()
        assert (
            len(services.create_tasks_from_text(workspace=workspace, user=user, text="x\n---\n" * 100)) == 100
        )

    @pytest.mark.parametrize("field", ["model", "reasoning_effort"])
    @pytest.mark.parametrize("value", ["--dangerous", "two words", "a\nb"])
    def test_what_a_cli_would_misread_is_refused(self, field: str, value: str) -> None:
        with pytest.raises(ValidationError) as refusal:
            services.create_task(make_workspace(), None, services.TaskFields(title="x", **{field: value}))  # type: ignore[arg-type]
        assert field in refusal.value.message_dict

    def test_an_empty_task_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="title or a prompt"):
            services.create_task(make_workspace(), None, services.TaskFields(title=" ", prompt="\n"))

    def test_nul_and_half_characters_become_visible_signs(self) -> None:
        task = services.create_task(make_workspace(), None, services.TaskFields(prompt="a\0b\ud800c"))
        task.refresh_from_db()
        assert task.prompt == "a␀b?c"


class TestQueueing:
    def test_a_run_is_frozen_when_it_is_asked_for(self) -> None:
        task = make_task(model="m1", reasoning_effort="low", prompt="first")
        run = run_services.queue_run(task, user=None)
        editing.update_task(task, prompt="second", model="m2")
        run.refresh_from_db()
        assert (run.number, run.prompt, run.model, run.reasoning_effort) == (1, "first", "m1", "low")

    def test_another_model_for_the_next_run_keeps_the_effort(self) -> None:
        task = make_task(model="m1", reasoning_effort="low")
        run = run_services.queue_run(task, user=None, model="m2")
        assert (run.model, run.reasoning_effort) == ("m2", "low")

    def test_a_task_has_one_live_run(self) -> None:
        task = make_task()
        run_services.queue_run(task, user=None)
        with pytest.raises(Refused, match="is queued"):
            run_services.queue_run(task, user=None)

    def test_a_task_without_a_prompt_is_not_run(self) -> None:
        with pytest.raises(Refused, match="no prompt"):
            run_services.queue_run(make_task(prompt="  "), user=None)

    def test_resuming_goes_on_with_the_last_session_of_that_cli(self) -> None:
        task = make_task()
        make_run(task=task, cli_session="s-1", state=Run.State.FAILED)
        assert run_services.queue_run(task, user=None, resume=True).resumes == "s-1"

    def test_resuming_without_a_session_says_so(self) -> None:
        with pytest.raises(Refused, match="no session"):
            run_services.queue_run(make_task(), user=None, resume=True)


class TestStarting:
    def queue(self, count: int, **workspace: Any) -> list[Run]:
        place = make_workspace(**workspace)
        tasks = [make_task(workspace=place) for _ in range(count)]
        return [make_run(task=task) for task in tasks]

    def test_runs_start_in_the_order_of_the_board_while_there_is_room(self) -> None:
        runs = self.queue(3, max_parallel_runs=2)
        Task.objects.filter(pk=runs[2].task_id).update(rank=-1)
        started = dispatch.start_queued(runs[0].task.workspace_id)
        assert started == [runs[2].pk, runs[0].pk]
        runs[1].refresh_from_db()
        assert runs[1].reason == "Waiting for a free slot (2 of 2 running)."

    def test_nothing_is_claimed_twice(self) -> None:
        runs = self.queue(2)
        assert len(dispatch.start_queued(runs[0].task.workspace_id)) == 2
        assert dispatch.start_queued(runs[0].task.workspace_id) == []

    def test_a_host_that_is_away_holds_its_runs_with_the_reason(self) -> None:
        (run,) = self.queue(1)
        Host.objects.filter(pk=run.task.workspace.host.pk).update(link="down", link_reason="No route.")
        assert dispatch.start_queued(run.task.workspace_id) == []
        run.refresh_from_db()
        assert run.reason == "Waiting for this machine: No route."

    def test_an_end_makes_room_for_the_next(self, django_capture_on_commit_callbacks: Any) -> None:
        first, second = self.queue(2, max_parallel_runs=1)
        dispatch.start_queued(first.task.workspace_id)
        with django_capture_on_commit_callbacks(execute=True):
            end(first)
        second.refresh_from_db()
        assert second.state == Run.State.STARTING

    def test_a_nudge_is_not_doubled_while_it_waits_behind_others(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        runs = self.queue(30, max_parallel_runs=30)
        for do in (lambda: dispatch.start_queued(runs[0].task.workspace_id), *[repairs.repair] * 3):
            with django_capture_on_commit_callbacks(execute=True):
                do()
            Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert [times_queued(jobs.start_run, run) for run in runs] == [1] * 30

    def test_a_lost_nudge_is_sent_again_once_it_is_overdue(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        (run,) = self.queue(1)
        dispatch.start_queued(run.task.workspace_id)
        overdue = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(lease_until=overdue)
        with django_capture_on_commit_callbacks(execute=True):
            repairs.repair()
        run.refresh_from_db()
        assert run.lease_until is not None
        assert times_queued(jobs.start_run, run) == 1
        assert run.lease_until > overdue + leases.QUEUED_FOR
        assert run.lease_owner == ""


def rows_of(run: Run) -> QuerySet[Run]:
    return Run.objects.filter(pk=run.pk)


class TestLeases:
    def test_the_second_worker_leaves(self) -> None:
        run = make_run(state=Run.State.STARTING)
        with (
            leases.held(rows_of(run)) as first,
            leases.held(rows_of(run)) as second,
        ):
            assert (first, second) == (True, False)
        assert leases.take(rows_of(run))

    def test_a_lease_is_released_although_the_state_has_changed_meanwhile(self) -> None:
        run = make_run(state=Run.State.STARTING)
        with leases.held(rows_of(run).filter(state=Run.State.STARTING)):
            run.change((Run.State.STARTING,), state=Run.State.RUNNING)
        run.refresh_from_db()
        assert (run.lease_owner, run.lease_until) == ("", None)

    @pytest.mark.parametrize(
        "error", [OperationalError("server closed the connection"), InterfaceError("closed")]
    )
    def test_a_run_whose_start_met_a_database_that_is_away_is_started_again(self, error: Exception) -> None:
        run = make_run(state=Run.State.STARTING)
        with patch("tasks.runs.hooks.before_start", side_effect=error), pytest.raises(type(error)):
            jobs.start_run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.reason) == (Run.State.STARTING, "")
        assert jobs.job_due(run) is jobs.start_run, "a repair starts it"

    def test_no_second_job_is_queued_while_one_waits_or_a_process_works(self) -> None:
        run = make_run(state=Run.State.STARTING)
        assert leases.enqueue_once(rows_of(run), jobs.start_run, run.pk)
        assert not leases.enqueue_once(rows_of(run), jobs.start_run, run.pk)
        assert leases.enqueue_once(rows_of(run), jobs.cancel_run, run.pk, even_if_queued=True)
        with leases.held(rows_of(run)):
            assert not leases.enqueue_once(rows_of(run), jobs.cancel_run, run.pk, even_if_queued=True)

    def test_a_lease_is_renewed_while_its_holder_is_busy(self) -> None:
        run = make_run(state=Run.State.STARTING)
        with leases.held(rows_of(run)):
            soon = timezone.now() + timedelta(seconds=1)
            rows_of(run).update(lease_until=soon)
            assert leases.renew(rows_of(run))
            run.refresh_from_db()
            assert run.lease_until is not None
            assert run.lease_until > soon + timedelta(seconds=30)

    def test_a_lease_ends_with_its_process(self) -> None:
        run = make_run(state=Run.State.STARTING)
        with patch.object(leases, "me", return_value=f"{leases.me().rpartition(':')[0]}:999999999"):
            assert leases.take(rows_of(run))
        assert leases.end_leases_of_dead_processes(Run.objects.all()) == 1
        assert leases.take(rows_of(run))

    def test_a_lease_of_another_machine_lasts_its_time(self) -> None:
        run = make_run(
            state=Run.State.STARTING, lease_owner="elsewhere:1", lease_until=timezone.now() + leases.LEASE
        )
        assert leases.end_leases_of_dead_processes(Run.objects.all()) == 0
        assert not leases.take(rows_of(run))


class TestCancellingOnTheHost:
    """The host answers at once, whatever the agent does; `ending` means that it has not ended yet."""

    def cancelled(self, **fields: Any) -> Run:
        run = make_run(state=Run.State.RUNNING, run_dir="/runs/1", tmux_session="aitask-1", **fields)
        run_services.cancel_task(run.task)
        return run

    def ask(self, run: Run, outcome: dict[str, Any] | None) -> Mock:
        host = Mock()
        host.call.return_value = {"outcome": outcome, "ending": outcome is None}
        site = Mock(host=host)
        with patch.object(jobs, "site_of", return_value=site), patch("workspaces.tmux.capture_history"):
            jobs.cancel_run(run.pk)
        run.refresh_from_db()
        return host

    def test_a_worker_asks_and_does_not_wait_for_the_end(self) -> None:
        run = self.cancelled()
        host = self.ask(run, None)
        assert host.call.call_args.args[1]["patience"] == 0
        assert (run.state, run.lease_owner) == (Run.State.RUNNING, "")
        assert run.lease_until is not None
        assert run.lease_until > timezone.now()

    def test_it_is_asked_again_after_a_pause_and_not_before(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        run = self.cancelled()
        self.ask(run, None)
        with django_capture_on_commit_callbacks(execute=True):
            repairs.repair()
        assert times_queued(jobs.cancel_run, run) == 0
        Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        with django_capture_on_commit_callbacks(execute=True):
            repairs.repair()
        assert times_queued(jobs.cancel_run, run) == 1

    def test_the_end_is_seen_by_whoever_comes_first(self) -> None:
        run = self.cancelled()
        self.ask(run, None)
        end(run, state="cancelled")
        assert run.state == Run.State.CANCELLED
        other = self.cancelled(task=make_task())
        self.ask(other, {"state": "cancelled", "reason_code": "cancelled", "reason": "Cancelled."})
        assert other.state == Run.State.CANCELLED

    def test_only_a_cancelled_run_leaves_a_shell(self, django_capture_on_commit_callbacks: Any) -> None:
        ended, cancelled = make_run(state=Run.State.RUNNING, tmux_session="aitask-1"), self.cancelled()
        with django_capture_on_commit_callbacks(execute=True):
            end(ended)
            end(cancelled, state="cancelled")
        assert not queue.is_waiting(jobs.open_shell, ended.pk)
        assert queue.is_waiting(jobs.open_shell, cancelled.pk)

    def test_no_shell_is_opened_in_the_session_of_the_next_run(self) -> None:
        run = self.cancelled()
        end(run, state="cancelled")
        make_run(task=run.task, state=Run.State.STARTING)
        with patch.object(jobs, "site_of") as site:
            jobs.open_shell(run.pk)
        site.assert_not_called()


class TestEvents:
    def test_events_are_saved_once_with_their_offset(self) -> None:
        run = make_run(state=Run.State.RUNNING)
        assert save_events(run.pk, [line(1), line(2)], start=0, end=100)
        assert not save_events(run.pk, [line(1), line(2)], start=0, end=100)
        run.refresh_from_db()
        assert (run.event_offset, run.last_seq, Event.objects.count()) == (100, 2, 2)

    def test_what_no_database_can_hold_is_kept_visibly(self) -> None:
        run = make_run(state=Run.State.RUNNING)
        save_events(run.pk, [line(1, text="a\0b", input={"k\0": ["\ud83d"]})], start=0, end=10)
        assert Event.objects.get().data == {"text": "a␀b", "input": {"k␀": ["?"]}}

    def test_a_line_that_is_no_event_does_not_keep_the_others_from_being_saved(self) -> None:
        run = make_run(state=Run.State.RUNNING)
        wrong: list[Any] = [[], 5, {"kind": "raw", "line": "torn"}, {"seq": 10**30, "kind": "text"}]
        wrong += [{"seq": 2, "kind": "usage", "input_tokens": "many", "cost_usd": float("nan")}]
        assert save_events(run.pk, [line(1), *wrong, line(3)], start=0, end=10)
        run.refresh_from_db()
        assert (run.last_seq, run.unread_lines, run.input_tokens) == (7, 4, 0)
        kinds = list(Event.objects.order_by("seq").values_list("kind", flat=True))
        assert kinds == ["text", "raw", "raw", "raw", "raw", "usage", "text"]


class TestEnding:
    def test_the_outcome_becomes_the_final_state_and_moves_the_card(self) -> None:
        run = make_run(state=Run.State.RUNNING, task=make_task(status="running"))
        end(run, usage={"input_tokens": 7}, commit="abc", diff={"files": 2, "additions": 3, "deletions": 1})
        task = run.task
        task.refresh_from_db()
        assert (run.state, run.input_tokens, run.commit, task.status) == ("succeeded", 7, "abc", "review")
        assert (task.files_changed, task.lines_added, task.lines_deleted) == (2, 3, 1)

    def test_the_first_outcome_counts(self) -> None:
        run = end(make_run(state=Run.State.RUNNING), state="failed", reason="No.")
        end(run, state="succeeded")
        assert (run.state, run.reason) == (Run.State.FAILED, "No.")

    def test_a_worker_that_is_busy_with_the_run_ends_it_itself(self) -> None:
        run = make_run(state=Run.State.RUNNING)
        with leases.held(rows_of(run)):
            end(run)
            assert run.state == Run.State.RUNNING
        assert endings.conclude(run.pk)

    def test_two_refused_logins_hold_further_starts_until_one_run_gets_through(self) -> None:
        workspace = make_workspace()
        for _ in range(2):
            end(
                make_run(state=Run.State.RUNNING, task=make_task(workspace=workspace)),
                state="failed",
                reason_code="login",
            )
        waiting = [make_run(task=make_task(workspace=workspace)) for _ in range(2)]
        assert dispatch.start_queued(workspace.pk) == []
        waiting[0].refresh_from_db()
        assert waiting[0].reason.startswith("Held: Claude Code on this machine refused the login")
        run_services.try_login_again(BackendHold.objects.get())
        assert dispatch.start_queued(workspace.pk) == [waiting[0].pk]
        end(waiting[0])
        assert dispatch.start_queued(workspace.pk) == [waiting[1].pk]

    def test_one_refused_login_holds_nothing(self) -> None:
        run = end(make_run(state=Run.State.RUNNING), state="failed", reason_code="login")
        assert BackendHold.objects.get(host=run.task.workspace.host).held_since is None


class TestFollowing:
    def test_live_runs_are_followed_and_ended_ones_until_their_last_event_is_read(self) -> None:
        workspace = make_workspace()
        going, unread, read = (
            make_run(
                task=make_task(workspace=workspace), state=Run.State.RUNNING, run_dir=f"/runs/{n}", last_seq=3
            )
            for n in range(3)
        )
        make_run(task=make_task(workspace=workspace))
        end(unread, last_seq=5)
        end(read, last_seq=3)
        assert {run.pk for run in runs_to_follow(workspace.host)} == {going.pk, unread.pk}

    def test_lines_from_beyond_the_row_are_not_saved_but_asked_for_anew(self) -> None:
        run = make_run(state=Run.State.RUNNING, run_dir="/runs/1", event_offset=100, last_seq=2)
        watch = HostWatch(run.task.workspace.host)
        watch._runs, watch._stream = {"/runs/1": run.pk}, Mock()
        watch._take({"dir": "/runs/1", "lines": [line(9)], "start": 300, "offset": 400})
        run.refresh_from_db()
        assert (run.event_offset, run.last_seq, Event.objects.count()) == (100, 2, 0)
        watch._stream.send.assert_called_once_with("tail_change", {"add": {}, "remove": ["/runs/1"]})
        assert watch.runs_changed.is_set()


class TestCancelling:
    def test_a_waiting_run_is_cancelled_at_once(self) -> None:
        run = make_run()
        run_services.cancel_task(run.task)
        run.refresh_from_db()
        assert (run.state, run.reason_code) == (Run.State.CANCELLED, "cancelled")

    def test_a_running_one_is_asked_once(self, django_capture_on_commit_callbacks: Any) -> None:
        run = make_run(state=Run.State.RUNNING)
        with django_capture_on_commit_callbacks(execute=True):
            run_services.cancel_task(run.task)
            run_services.cancel_task(run.task)
        run.refresh_from_db()
        assert run.cancel_requested_at is not None
        assert jobs_sent() == 1

    def test_after_the_end_it_is_harmless(self) -> None:
        run = make_run(state=Run.State.SUCCEEDED)
        assert run_services.cancel_task(run.task) is None

    def test_a_run_taken_back_returns_its_card_to_the_backlog(self) -> None:
        run = make_run(task=make_task(status="queued"))
        run_services.unqueue(run.task)
        assert run.task.status == Task.Status.BACKLOG


class TestMoving:
    def test_a_card_lands_before_the_one_it_is_dropped_on(self) -> None:
        workspace = make_workspace()
        a, b, c = (make_task(workspace=workspace) for _ in range(3))
        services.move_task(c, status="backlog", before=b.pk, user=workspace.owner)
        assert [task.pk for task in Task.objects.filter(workspace=workspace)] == [a.pk, c.pk, b.pk]

    def test_into_queued_means_run(self) -> None:
        task = make_task()
        services.move_task(task, status="queued", before=None, user=task.workspace.owner)
        assert task.runs.get().is_live

    def test_into_running_is_refused_with_the_way(self) -> None:
        task = make_task()
        with pytest.raises(Refused, match="Move it to Queued"):
            services.move_task(task, status="running", before=None, user=task.workspace.owner)

    def test_a_task_that_runs_is_not_deleted(self) -> None:
        run = make_run(state=Run.State.RUNNING)
        with pytest.raises(Refused, match="in progress"):
            services.delete_task(run.task)


def test_a_workspace_does_not_move_away_from_its_live_runs() -> None:
    workspace = make_run(state=Run.State.RUNNING).task.workspace
    workspace.repo_path = "/elsewhere"
    with pytest.raises(ValidationError, match="Cancel them"):
        workspace.full_clean()
