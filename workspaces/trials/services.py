"""Notice that a CLI has changed, request trial turns, and let users decide about a held version."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from workspaces import hosts
from workspaces.catalog.queries import place_of
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection
from workspaces.models import InstalledCli, Workspace
from workspaces.trials import changes, jobs
from workspaces.trials.verdicts import says_too_old

State = InstalledCli.State
LOOK_AGAIN = timedelta(seconds=5)
"""How often a held program is looked at while runs wait for it. That costs no request."""
DOUBT_PAUSE = timedelta(hours=1)
"""How long a trial turn that went well stands against what runs say about the version."""


def row_for(workspace: Workspace, backend: str) -> InstalledCli:
    _, digest = place_of(workspace)
    row, _ = InstalledCli.objects.select_related("host").get_or_create(
        host=workspace.host, backend=backend, environment=digest
    )
    return row


def look(workspace: Workspace, backend: str, host: HostConnection | None = None) -> InstalledCli:
    """Look at the program that a run would start now, and note whether it has changed. Raises HostError.

    Takes milliseconds, except for a program that is seen for the first time: it is asked for its version.
    """
    row = row_for(workspace, backend)
    connection = host or hosts.get(workspace.host.address)
    params: wire.ProgramsParams = {"environment": workspace.environment, "backends": [backend]}
    seen = connection.call("programs", params)[backend]
    if seen["path"] and not row.fingerprint and not row.good_fingerprint:
        asking: wire.ProgramsParams = {**params, "ask_version": True}
        seen = connection.call("programs", asking, timeout=jobs.LOOK_SECONDS)[backend]
    row = changes.note_seen(row, seen)
    if row.is_due and workspace.try_changed_clis:
        request_due(row)
    return row


def request_due(row: InstalledCli) -> None:
    """Enqueue what a row needs for the runs that wait for it: a trial turn that is due, or another look."""
    rows = InstalledCli.objects.filter(pk=row.pk)
    if row.is_due:
        leases.enqueue_once(rows, jobs.try_turn, row.pk)
    elif row.is_held and (row.looked_at is None or row.looked_at <= timezone.now() - LOOK_AGAIN):
        leases.enqueue_once(rows, jobs.look_again, row.pk)


def try_soon(row: InstalledCli) -> None:
    """Request a trial turn, as a user wishes. It costs one tiny request, unless the program can't start."""
    InstalledCli.objects.filter(pk=row.pk).update(wanted=True)
    leases.enqueue_once(InstalledCli.objects.filter(pk=row.pk), jobs.try_turn, row.pk, even_if_queued=True)
    row.refresh_from_db()
    doorbell.ring("board", "queue")


def try_here(row: InstalledCli) -> InstalledCli:
    """Try a turn in this process, for commands."""
    InstalledCli.objects.filter(pk=row.pk).update(wanted=True)
    jobs.try_turn(row.pk)
    row.refresh_from_db()
    return row


def start_anyway(row: InstalledCli, fingerprint: str) -> None:
    """Let runs start with this very program although it is held. Raises Refused if it is another one now."""
    if not row.fingerprint:
        raise Refused(f"{row.label} is missing on {row.host.label}.", "Install it there.")
    rows = InstalledCli.objects.filter(pk=row.pk, fingerprint=fingerprint)
    if not rows.update(allowed_fingerprint=fingerprint):
        raise Refused(f"{row.label} has changed again on {row.host.label}.", "Look at its new state first.")
    row.refresh_from_db()
    doorbell.ring("board", "queue")


def hold_again(row: InstalledCli) -> None:
    """Withdraw the permission to start a held program anyway."""
    InstalledCli.objects.filter(pk=row.pk).update(allowed_fingerprint="")
    row.refresh_from_db()
    doorbell.ring("board", "queue")


def note_success(workspace: Workspace, backend: str, version: str, started_at: datetime | None) -> None:
    """Note that a run has finished a turn: that proves the version without a trial turn."""
    if not version or started_at is None:
        return
    unchanged = Q(changed_at=None) | Q(changed_at__lt=started_at)
    rows = _present(workspace, backend).filter(unchanged, version__in=("", version))
    for row in rows.exclude(state=State.GOOD):
        changes.save_good(row, version)


def note_failure(workspace: Workspace, backend: str, reason: str, *, died_at_start: bool) -> None:
    """Request a trial turn if a run failed for a reason that may lie in the version.

    What a run says is not trusted: agents can write it. At most one trial turn in an hour follows from it.
    """
    if not died_at_start and not says_too_old(reason):
        return
    words = "ended at the start of a run" if died_at_start else "is said to be too old"
    for row in _present(workspace, backend).exclude(state__in=(State.HELD, State.TRYING)):
        recent = row.tried_at is not None and row.tried_at > timezone.now() - DOUBT_PAUSE
        proven = died_at_start and row.state == State.GOOD
        if not recent and not proven:
            doubt = changes.clean(f"{row.name} on {row.host.label} {words}")
            changes.save(row, state=State.TRYING, reason=doubt, try_at=timezone.now())


def _present(workspace: Workspace, backend: str) -> QuerySet[InstalledCli]:
    key, digest = place_of(workspace)
    rows = InstalledCli.objects.filter(host__key=key, backend=backend, environment=digest)
    return rows.exclude(fingerprint="").select_related("host")


def repair() -> None:
    """End the leases of dead workers, and enqueue lost requests of users. May be called repeatedly."""
    leases.end_leases_of_dead_processes(InstalledCli.objects.all())
    for row in InstalledCli.objects.filter(wanted=True):
        request_due(row)
