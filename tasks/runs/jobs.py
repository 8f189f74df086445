"""What the workers do. A job takes an id, re-reads the row, and leaves when there is nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from posixpath import join

from django.db import transaction

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from tasks.models import Run, Task
from tasks.repository import Site, site_of
from tasks.runs import endings, hooks, launch
from workspaces import tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down

log = logging.getLogger(__name__)

FIRST_WORD = timedelta(seconds=60)
"How long an agent's window may stay silent before the start is looked at again."


def start_run(run_id: int) -> None:
    """Start a claimed run on its host; a second starter finds the first one's lease and stops."""
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
    """Save the pane, end the agent and all it started, and leave a shell in the worktree."""
    with leases.held(Run.objects.filter(pk=run_id, state__in=Run.ACTIVE)) as taken:
        if not taken:
            return
        run = Run.objects.select_related("task__workspace").get(pk=run_id)
        if run.cancel_requested_at is None:
            return
        outcome = _cancel_on_host(run)
    if outcome:
        endings.note_outcome(run_id, outcome)
    _after(run)


def job_due(run: Run) -> Callable[[int], None] | None:
    """The job that an active run needs next; None when its agent is at work."""
    if run.cancel_requested_at:
        return cancel_run
    return start_run if run.state == Run.State.STARTING else None


@dataclass(frozen=True)
class StartFailure:
    """Why a run could not start, as it will stand on the card."""

    code: str
    reason: str


def _try_to_launch(run: Run) -> StartFailure | None:
    """None when it is started, or will be tried again; else why it never will."""
    try:
        hooks.before_start(run)
        launch.launch(run)
    except leases.LeaseLost:
        return None
    except HostError as error:
        if error.retryable:
            _back_to_queue(run, error)
            return None
        return StartFailure(error.code, str(error))
    except Refused as error:
        return StartFailure("start", str(error))
    except Exception as error:
        log.exception("could not start %s", run)
        return StartFailure("other", f"The app failed while starting it: {error!r}. The log has the details.")
    return None


def _back_to_queue(run: Run, error: HostError) -> None:
    """The host can't be reached: the run waits in the queue, with the reason on its card."""
    note_down(run.task.workspace.host, error)
    with transaction.atomic():
        if run.change((Run.State.STARTING,), state=Run.State.QUEUED, reason=str(error)):
            Task.objects.filter(pk=run.task_id).update(status=Task.Status.QUEUED)


def _cancel_on_host(run: Run) -> wire.Json | None:
    """The outcome that the host gave; None when it can't be reached, then it is tried again."""
    words = "Cancelled before it started."
    gone: wire.Json = {"state": "cancelled", "reason_code": "cancelled", "reason": words}
    if not run.run_dir:
        return gone
    try:
        site = site_of(run.task.workspace)
        if run.tmux_session:
            history = join(run.run_dir, "history.txt")
            tmux.capture_history(site.host, run.tmux_session, history, window=run.tmux_window)
        answer = site.host.call("cancel", {"dir": run.run_dir, "reason": "Cancelled."}, timeout=40)
        if run.tmux_session:
            _shell_in_place(run, site)
        return answer["outcome"] or gone
    except HostError as error:
        if error.retryable:
            note_down(run.task.workspace.host, error)
            return None
        log.warning("cancelling %s: %s", run, error)
        return {**gone, "reason": f"Cancelled; its host said: {error}"}


def _shell_in_place(run: Run, site: Site) -> None:
    """The session is made anew with a shell in the worktree and what the pane had shown above it."""
    tmux.kill_session(site.host, run.tmux_session, owner=site.owner(run.task_id))
    cwd = run.task.worktree_path
    launch.open_window(run, site, window="shell", subcommand="shell", cwd=cwd)


def _after(run: Run) -> None:
    """Whatever came in while the lease was held is done now."""
    run.refresh_from_db()
    if run.cancel_requested_at and run.state == Run.State.QUEUED:
        endings.end_here(run, state="cancelled", code="cancelled", reason="Cancelled before it started.")
    elif run.outcome is not None:
        endings.conclude(run.pk)
    elif run.cancel_requested_at:
        leases.enqueue_once(Run.objects.filter(pk=run.pk), cancel_run, run.pk)
    elif run.state == Run.State.STARTING:
        leases.pause(Run.objects.filter(pk=run.pk), FIRST_WORD)
    doorbell.ring("queue", "board", f"task:{run.task_id}")
