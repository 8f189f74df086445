"""Decides which queued runs may start, in the board's order, and why the others wait."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell, leases
from tasks.models import Run, Task
from tasks.order.predecessors import reasons_to_wait
from tasks.runs import hooks, jobs, launch
from workspaces.models import BackendHold, Host, Workspace
from workspaces.trials import queries as trial_queries

NOT_NEEDED = (
    *("prompt", "open_requests", "progress", "background", "raw_lines", "usage_by_model", "thread_total"),
    *("outcome", "task__prompt", "task__labels", "task__copied_files"),
)
"Columns of queued runs that are large or slow to read, and decide nothing."


def start_after_commit(workspace_id: int) -> None:
    """Start queued runs after the current transaction is committed."""
    transaction.on_commit(lambda: start_queued(workspace_id))


def after_save(workspace: Workspace) -> None:
    """Start queued runs: a saved workspace may have more slots."""
    start_after_commit(workspace.pk)


def after_end(run: Run) -> None:
    """Start queued runs: an ended run leaves a free slot."""
    start_after_commit(run.task.workspace_id)


def after_change_of_order(task: Task) -> None:
    """Start queued runs: the task may have nothing to wait for any more."""
    start_after_commit(task.workspace_id)


def start_queued(workspace_id: int) -> list[int]:
    """Claim the queued runs that have a free slot, enqueue their start and return their ids.

    Locks the workspace's row, so that two processes can't both take the last slot.
    """
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=workspace_id)
        runs = queued_runs(workspace)
        gate = Gate(workspace) if runs else None
        started = [run.pk for run in runs if gate and _start(run, gate)]
        if started:
            doorbell.ring("queue")
    return started


def queued_runs(workspace: Workspace) -> list[Run]:
    """Return the queued runs in the order of the board's Queued column."""
    runs = Run.objects.filter(task__workspace=workspace, state=Run.State.QUEUED)
    rows = runs.select_related("task").defer(*NOT_NEEDED)
    return list(rows.order_by("-task__priority", "task__rank", "queued_at", "pk"))


class Gate:
    """What can hold the queued runs of a workspace, read once for all of them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.host = workspace.host
        self.active = Run.objects.filter(task__workspace=workspace, state__in=Run.ACTIVE).count()
        self.order = reasons_to_wait(workspace)
        self.hold_reason = hooks.hold_reason(workspace)
        self.cli_holds = trial_queries.hold_reasons(workspace)
        self.holds = {hold.backend: hold for hold in self.host.holds.exclude(held_since=None)}

    def reason_to_wait(self, run: Run) -> str:
        """Return why the run can't start now, as a sentence; empty if it can."""
        if why := self.order.get(run.task_id):
            return why
        if self.host.link == Host.Link.DOWN:
            return f"Waiting for {self.host.label}: {self.host.link_reason}"
        if not self.workspace.allows_agent_settings(run.agent_settings):
            return launch.ASK_FIRST
        if self.active >= self.workspace.max_parallel_runs:
            return f"Waiting for a free slot ({self.active} of {self.workspace.max_parallel_runs} running)."
        if why := self.hold_reason(run):
            return why
        if why := self.cli_holds.get(run.backend, ""):
            return why
        hold = self.holds.get(run.backend)
        if hold and not self._lets_through(hold, run):
            return f"Held: {hold.reason} Log in on the host, then press “Retry now”."
        return ""

    def _lets_through(self, hold: BackendHold, run: Run) -> bool:
        """Let one run at a time test whether the login works again, when the next attempt is due."""
        if hold.probe_run and Run.objects.filter(pk=hold.probe_run, state__in=Run.LIVE).exists():
            return hold.probe_run == run.pk
        if hold.next_probe_at and hold.next_probe_at > timezone.now():
            return False
        # Another workspace on the host may have let one of its runs start in the meantime.
        holds = BackendHold.objects.filter(pk=hold.pk, probe_run=hold.probe_run)
        hold.probe_run = run.pk
        return bool(holds.update(probe_run=run.pk))


def _start(run: Run, gate: Gate) -> bool:
    why = gate.reason_to_wait(run)
    if why:
        if why != run.reason and run.change((Run.State.QUEUED,), reason=why):
            doorbell.ring(f"task:{run.task_id}")
        return False
    if not run.change(
        (Run.State.QUEUED,), state=Run.State.STARTING, reason="", lease_until=None, lease_owner=""
    ):
        return False
    gate.active += 1
    Task.objects.filter(pk=run.task_id).update(status=Task.Status.RUNNING, updated_at=timezone.now())
    leases.enqueue_once(Run.objects.filter(pk=run.pk), jobs.start_run, run.pk)
    doorbell.ring(f"task:{run.task_id}")
    return True
