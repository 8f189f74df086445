"""Jobs of runs. A job takes an id, reads the row again, and returns if there is nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from posixpath import join

from django.db import transaction

from aitask.lib import columns, doorbell, leases
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from tasks.models import Run, Task
from tasks.order.predecessors import reason_of
from tasks.repository import site_of
from tasks.runs import cli_holds, endings, hooks, launch
from workspaces import tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down

log = logging.getLogger(__name__)

WINDOW_AGAIN = timedelta(seconds=5)
"How long to wait before a window is opened again that could not be opened."
SHELL = "shell"
"The window of a shell after a cancelled run."
FIRST_EVENT = timedelta(seconds=60)
"How long to wait for the first event of a run before its start is repeated."
CANCEL_PAUSE = timedelta(seconds=4)
"How long to wait for the end of a cancelled run before its host is asked again. Most end before that."


def start_run(run_id: int) -> None:
    """Start a claimed run on its host. The lease keeps a second worker from starting it, too."""
    with leases.held(Run.objects.filter(pk=run_id, state=Run.State.STARTING)) as taken:
        if not taken:
            return
        run = Run.objects.select_related("task__workspace").get(pk=run_id)
        failure = _try_to_launch(run)
    if failure:
        ended = {"state": "failed", "code": failure.code, "reason": failure.reason}
        endings.end_here(run, **ended, expected=(Run.State.STARTING,))
    _after(run)


def cancel_run(run_id: int) -> None:
    """Save the pane's history, and ask the host to end the agent and its processes.

    Waits for nothing: the follower sees the end, and this job is repeated until then.
    """
    with leases.held(Run.objects.filter(pk=run_id, state__in=Run.ACTIVE)) as taken:
        if not taken:
            return
        run = Run.objects.select_related("task__workspace").get(pk=run_id)
        if run.cancel_requested_at is None:
            return
        outcome = _cancel_on_host(run)
    if outcome:
        endings.note_outcome(run_id, outcome)
    _after(run, asked=True)


def open_shell(run_id: int) -> None:
    """Open a shell in the worktree of a cancelled run, below what its pane had shown."""
    run = Run.objects.select_related("task__workspace").get(pk=run_id)
    if run.task.runs.filter(state__in=Run.LIVE).exists():
        return  # the session is the next run's
    try:
        site = site_of(run.task.workspace)
        owner = site.owner(run.task.key)
        tmux.kill_window(site.host, run.tmux_session, SHELL, owner=owner)  # of an earlier run
        launch.open_window(run, site, window=SHELL, subcommand="shell", cwd=run.task.worktree_path)
    except Refused as error:
        log.info("no shell after %s: %s", run, error)


def after_end(run: Run) -> None:
    """Open a shell after a run that was cancelled; its window closes."""
    if run.cancel_requested_at and run.tmux_session:
        enqueue(open_shell, run.pk)


def reopen_window(run_id: int) -> None:
    """Give a live run a window again whose tmux server has ended."""
    rows = Run.objects.filter(pk=run_id)
    with leases.held(rows.filter(state__in=Run.ACTIVE, tmux_window="")) as taken:
        if not taken:
            return
        run = rows.select_related("task__workspace").get()
        try:
            launch.reopen_window(run)
        except Refused as error:
            log.warning("%s has no window: %s", run, error)
    run.refresh_from_db()
    if not run.tmux_window:
        leases.pause(rows, WINDOW_AGAIN)
    doorbell.ring(f"task:{run.task_id}")


def reopen_soon(run_id: int) -> None:
    """Enqueue `reopen_window`, also while its start is still being watched."""
    leases.enqueue_once(Run.objects.filter(pk=run_id), reopen_window, run_id, even_if_queued=True)


def job_due(run: Run) -> Callable[[int], None] | None:
    """Return the job that an active run needs next; None if its agent is running."""
    if run.cancel_requested_at:
        return cancel_run
    if run.state == Run.State.STARTING:
        return start_run
    return reopen_window if run.tmux_session and not run.tmux_window else None


@dataclass(frozen=True)
class StartFailure:
    """Why a run could not start, as shown on its card."""

    code: str
    reason: str


def _try_to_launch(run: Run) -> StartFailure | None:
    """Launch the run. Return None if it has started or will be retried, else why it failed."""
    if why := reason_of(run):
        _back_to_queue(run, why)
        return None
    try:
        hooks.before_start(run)
        launch.launch(run)
    except leases.LeaseLost:
        return None
    except launch.NotAllowedYet as error:
        _back_to_queue(run, launch.ASK_FIRST, agent_settings=error.digest)
        return None
    except cli_holds.CliHeld as error:
        _back_to_queue(run, str(error))
        return None
    except HostError as error:
        if error.retryable:
            note_down(run.task.workspace.host, error)
            _back_to_queue(run, str(error))
            return None
        return StartFailure(error.code, str(error))
    except Refused as error:
        return StartFailure("start", str(error))
    except Exception as error:
        if columns.is_outage(error):
            raise  # the run stays as it is, and a repair starts it when the database is back
        log.exception("could not start %s", run)
        return StartFailure(
            "other", f"Internal error while starting the run: {error!r}. The log has the details."
        )
    return None


def _back_to_queue(run: Run, reason: str, **values: str) -> None:
    """Return the run to the queue, with the reason why it can't start now."""
    with transaction.atomic():
        if run.change((Run.State.STARTING,), state=Run.State.QUEUED, reason=reason, **values):
            Task.objects.filter(pk=run.task_id).update(status=Task.Status.QUEUED)


def _cancel_on_host(run: Run) -> wire.Json | None:
    """Cancel the run on its host and return the outcome; None if there is none yet, and to be asked again."""
    reason = "Cancelled before it started."
    cancelled: wire.Json = {"state": "cancelled", "reason_code": "cancelled", "reason": reason}
    if not run.run_dir:
        return cancelled
    try:
        site = site_of(run.task.workspace)
        if run.tmux_session:
            history = join(run.run_dir, "history.txt")
            tmux.capture_history(site.host, run.tmux_session, history, window=run.tmux_window)
        answer = site.host.call("cancel", {"dir": run.run_dir, "reason": "Cancelled.", "patience": 0})
        return None if answer["ending"] else answer["outcome"] or cancelled
    except HostError as error:
        if error.retryable:
            note_down(run.task.workspace.host, error)
            return None
        log.warning("cancelling %s: %s", run, error)
        return {**cancelled, "reason": f"Cancelled, with an error on the host: {error}"}


def _after(run: Run, *, asked: bool = False) -> None:
    """Handle what has changed while the lease was held. `asked`: its host was asked to cancel the run."""
    run.refresh_from_db()
    if run.cancel_requested_at and run.state == Run.State.QUEUED:
        endings.end_here(run, state="cancelled", code="cancelled", reason="Cancelled before it started.")
    elif run.outcome is not None:
        endings.conclude(run.pk)
    elif run.cancel_requested_at and asked:
        leases.pause(Run.objects.filter(pk=run.pk), CANCEL_PAUSE)
    elif run.cancel_requested_at:
        leases.enqueue_once(Run.objects.filter(pk=run.pk), cancel_run, run.pk)
    elif run.state == Run.State.STARTING:
        leases.pause(Run.objects.filter(pk=run.pk), FIRST_EVENT)
    doorbell.ring("queue", f"task:{run.task_id}")
