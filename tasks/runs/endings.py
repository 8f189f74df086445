"""The end of a run: the outcome from its host sets the final state, once."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from aitask.lib import columns, doorbell
from aitask.lib.text import storable
from tasks.models import Run, Task
from tasks.runs import hooks, reducer
from tasks.runs.reducer import parse_time, take_usage
from workspaces.hostkit import wire
from workspaces.hosts import untrusted
from workspaces.models import BackendHold, Host

PROBE_AFTER = timedelta(minutes=5)
HOLD_AFTER = 2
"Consecutive refused logins after which further starts are held."

OF_OUTCOME = (*reducer.FIELDS, "reason_code", "final_seq", "commit")
"Columns with values of an outcome."
STATES = {"succeeded": Run.State.SUCCEEDED, "failed": Run.State.FAILED, "cancelled": Run.State.CANCELLED}


def note_outcome(run_id: int, answer: object) -> None:
    """Save the outcome from the host, and end the run unless a worker holds its lease."""
    outcome = untrusted.fit(answer, wire.RunOutcome)
    Run.objects.filter(pk=run_id, outcome__isnull=True, state__in=Run.LIVE).update(outcome=outcome)
    conclude(run_id)


def note_only_its_state(run_id: int) -> None:
    """End a run by no more than the state of its outcome, after the rest of it could not be saved."""
    given = Run.objects.get(pk=run_id).outcome or {}
    state = given.get("state")
    reason = f"{str(given.get('reason') or '')[:1000]} The details of its outcome could not be saved.".strip()
    outcome = {"state": state if state in STATES else "lost", "reason_code": "other", "reason": reason}
    Run.objects.filter(pk=run_id, state__in=Run.LIVE).update(outcome=storable(outcome))
    conclude(run_id)


def conclude(run_id: int) -> bool:
    """End the run by its outcome; return False if it has none, is leased or has ended already."""
    with transaction.atomic():
        run = Run.objects.select_for_update().select_related("task__workspace").get(pk=run_id)
        if run.outcome is None or not run.is_live or run.is_leased:
            return False
        _set_final_state(run, run.outcome)
        hooks.usage_changed(run)
        _save_work(run, run.outcome)
        _count_refused_logins(run)
        hooks.run_ended(run)
        doorbell.ring(f"task:{run.task_id}", "queue")
    return True


def end_here(run: Run, *, state: str, code: str, reason: str, expected: tuple[str, ...] = Run.LIVE) -> bool:
    """End a run that never reached its host or that its host no longer has."""
    outcome: wire.RunOutcome = {"state": state, "reason_code": code, "reason": reason}
    if not run.change(expected, outcome=outcome, lease_until=None, lease_owner=""):
        return False
    return conclude(run.pk)


def _set_final_state(run: Run, outcome: wire.RunOutcome) -> None:
    run.state = STATES.get(outcome["state"], Run.State.LOST)
    run.reason_code = outcome.get("reason_code", "")
    run.reason = outcome.get("reason", "")
    run.finished_at = parse_time(outcome.get("finished_at")) or timezone.now()
    run.limit_resets_at = parse_time(outcome.get("resets_at")) or run.limit_resets_at
    run.open_requests, run.background, run.compacting = [], [], False
    run.final_seq = outcome.get("last_seq", 0)
    run.cli_session = outcome.get("cli_session") or run.cli_session
    run.commit = outcome.get("commit") or ""
    if usage := outcome.get("usage"):
        take_usage(run, usage)
    run.thread_total = outcome.get("thread_total") or run.thread_total
    run.lease_until, run.lease_owner = None, ""
    columns.fit(run, OF_OUTCOME)
    run.save()


def _save_work(run: Run, outcome: wire.RunOutcome) -> None:
    """Save the size of the work, and move the card to review unless a user has moved it."""
    if diff := outcome.get("diff"):
        sizes = {
            "files_changed": diff["files"],
            "lines_added": diff["additions"],
            "lines_deleted": diff["deletions"],
        }
        fitting = {name: columns.fitting(Task._meta.get_field(name), size) for name, size in sizes.items()}
        Task.objects.filter(pk=run.task_id).update(**fitting)
    Task.objects.filter(pk=run.task_id, status__in=(Task.Status.QUEUED, Task.Status.RUNNING)).update(
        status=Task.Status.REVIEW, updated_at=timezone.now()
    )


def _count_refused_logins(run: Run) -> None:
    """Hold further starts on a host after consecutive refused logins; lift the hold if a login works."""
    host = run.task.workspace.host
    if run.reason_code == "login":
        _refuse(host, run)
    elif run.state == Run.State.SUCCEEDED or run.output_tokens:
        for hold in host.holds.filter(backend=run.backend, refusals__gt=0):
            lift_hold(hold)
    host.holds.filter(probe_run=run.pk).update(probe_run=None)


def _refuse(host: Host, run: Run) -> None:
    # Locked until the commit, so that two concurrent refusals are both counted.
    hold, _ = BackendHold.objects.select_for_update().get_or_create(host=host, backend=run.backend)
    hold.refusals += 1
    if hold.refusals >= HOLD_AFTER:
        hold.held_since = hold.held_since or timezone.now()
        hold.next_probe_at = timezone.now() + PROBE_AFTER
        hold.reason = f"{run.get_backend_display()} on {host.label} refused the login: {run.reason}"[:500]
    hold.save()


def lift_hold(hold: BackendHold) -> None:
    """Lift a hold, so that runs can start again."""
    hold.refusals, hold.held_since, hold.reason = 0, None, ""
    hold.probe_run, hold.next_probe_at = None, None
    hold.save()
