"""How a run ends: the host's last word becomes the row's final state, once."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.text import storable
from tasks.models import Run, Task
from tasks.runs import hooks
from tasks.runs.reducer import parse_time, take_usage
from workspaces.hostkit import wire
from workspaces.hosts import untrusted
from workspaces.models import BackendHold, Host

PROBE_AFTER = timedelta(minutes=5)
HOLD_AFTER = 2
"Runs in a row with a refused login before further starts are held."

STATES = {"succeeded": Run.State.SUCCEEDED, "failed": Run.State.FAILED, "cancelled": Run.State.CANCELLED}


def note_outcome(run_id: int, said: object) -> None:
    """Keep what the host said of the end, and end the run unless a worker is still busy with it."""
    outcome = untrusted.fit(storable(said), wire.RunOutcome)
    Run.objects.filter(pk=run_id, outcome__isnull=True, state__in=Run.LIVE).update(outcome=outcome)
    conclude(run_id)


def conclude(run_id: int) -> bool:
    """End the run by its outcome; False when there is none yet, a worker holds it, or it has ended."""
    with transaction.atomic():
        run = Run.objects.select_for_update().select_related("task__workspace").get(pk=run_id)
        if run.outcome is None or not run.is_live or run.is_leased:
            return False
        _set_final_state(run, run.outcome)
        hooks.usage_changed(run)
        _take_work(run, run.outcome)
        _count_refused_logins(run)
        hooks.run_ended(run)
        doorbell.ring(f"task:{run.task_id}", "board", "queue")
    return True


def end_here(run: Run, *, state: str, code: str, reason: str, expected: tuple[str, ...] = Run.LIVE) -> bool:
    """End a run that never reached its host, or of which the host knows nothing more."""
    outcome: wire.RunOutcome = {"state": state, "reason_code": code, "reason": reason}
    if not run.change(expected, outcome=outcome, lease_until=None, lease_owner=""):
        return False
    return conclude(run.pk)


def _set_final_state(run: Run, outcome: wire.RunOutcome) -> None:
    run.state = STATES.get(outcome["state"], Run.State.LOST)
    run.reason_code = outcome.get("reason_code", "")[:20]
    run.reason = outcome.get("reason", "")
    run.finished_at = parse_time(outcome.get("finished_at")) or timezone.now()
    run.limit_resets_at = parse_time(outcome.get("resets_at")) or run.limit_resets_at
    run.open_requests = []
    run.final_seq = outcome.get("last_seq", 0)
    run.cli_session = outcome.get("cli_session") or run.cli_session
    run.commit = outcome.get("commit") or ""
    if usage := outcome.get("usage"):
        take_usage(run, usage)
    run.thread_total = outcome.get("thread_total") or run.thread_total
    run.lease_until, run.lease_owner = None, ""
    run.save()


def _take_work(run: Run, outcome: wire.RunOutcome) -> None:
    """Move the card to review with the size of its work; a person may have moved it meanwhile."""
    if diff := outcome.get("diff"):
        Task.objects.filter(pk=run.task_id).update(
            files_changed=diff["files"], lines_added=diff["additions"], lines_deleted=diff["deletions"]
        )
    Task.objects.filter(pk=run.task_id, status__in=(Task.Status.QUEUED, Task.Status.RUNNING)).update(
        status=Task.Status.REVIEW, updated_at=timezone.now()
    )


def _count_refused_logins(run: Run) -> None:
    """Several refused logins in a row hold further starts on that host; a run that got an answer lifts it."""
    host = run.task.workspace.host
    if run.reason_code == "login":
        _refuse(host, run)
    elif run.state == Run.State.SUCCEEDED or run.output_tokens:
        for hold in host.holds.filter(backend=run.backend, refusals__gt=0):
            lift_hold(hold)
    host.holds.filter(probe_run=run.pk).update(probe_run=None)


def _refuse(host: Host, run: Run) -> None:
    # Locked until the end is committed: of two refusals at once both count.
    hold, _ = BackendHold.objects.select_for_update().get_or_create(host=host, backend=run.backend)
    hold.refusals += 1
    if hold.refusals >= HOLD_AFTER:
        hold.held_since = hold.held_since or timezone.now()
        hold.next_probe_at = timezone.now() + PROBE_AFTER
        hold.reason = f"{run.get_backend_display()} on {host.label} refused the login: {run.reason}"[:500]
    hold.save()


def lift_hold(hold: BackendHold) -> None:
    """Let runs start again."""
    hold.refusals, hold.held_since, hold.reason = 0, None, ""
    hold.probe_run, hold.next_probe_at = None, None
    hold.save()
