"""Look at programs and try turns: in a worker or a command, never in a request."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from aitask.lib import doorbell, leases
from workspaces import hosts
from workspaces.catalog.queries import lies_on
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down
from workspaces.models import Host, InstalledCli, Workspace
from workspaces.models.model_list import digest_of
from workspaces.trials import changes
from workspaces.trials.verdicts import TurnVerdict, verdict_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 45.0
MORE_SECONDS = 45.0
"""Besides the turns themselves: connecting, and waiting for a program that is being replaced."""
HOST_PAUSE = timedelta(seconds=30)
"""How long to wait after the host could not be reached."""


def look_again(row_id: int) -> None:
    """Job: look whether a held program has been replaced. This costs no request."""
    with leases.held(InstalledCli.objects.filter(pk=row_id)) as taken:
        if not taken:
            return
        row = InstalledCli.objects.select_related("host").get(pk=row_id)
        workspace = workspace_at(row.host, row.environment)
        if workspace is None:
            return
        try:
            changes.note_seen(row, _seen(row, workspace))
        except HostError as error:
            log.info("could not look at %s: %s", row, error)
            InstalledCli.objects.filter(pk=row_id).update(looked_at=timezone.now())


def try_turn(row_id: int) -> None:
    """Job: try a turn if one is due. Does nothing if another worker has the lease."""
    with leases.held(InstalledCli.objects.filter(pk=row_id)) as taken:
        if not taken:
            return
        row = InstalledCli.objects.select_related("host").get(pk=row_id)
        if row.is_due:
            _try(row)
    doorbell.ring("board", "queue")


def _try(row: InstalledCli) -> None:
    workspace = workspace_at(row.host, row.environment)
    if workspace is None:  # no workspace has this environment any more
        row.delete()
        return
    try:
        seen = _seen(row, workspace, ask_version=True)
        row = changes.note_seen(row, seen)
        if not seen["path"] or not row.is_due:
            changes.save(row, wanted=False)
            return
        changes.save(row, version=changes.clean(seen["version"] or row.version, 50))
        answer = _answer(row, workspace)
        if answer["fingerprint"] != row.fingerprint:  # replaced in the middle: that one is tried next
            changes.note_seen(row, _seen(row, workspace))
            return
        version = answer["version"] or row.version
        changes.save_verdict(row, verdict_of(answer), version=version)
    except HostError as error:
        _postpone(row, error)


def _seen(row: InstalledCli, workspace: Workspace, *, ask_version: bool = False) -> wire.ProgramSeen:
    params: wire.ProgramsParams = {
        "environment": workspace.environment,
        "backends": [row.backend],
        "ask_version": ask_version,
    }
    return hosts.get(row.host.address).call("programs", params, timeout=LOOK_SECONDS)[row.backend]


def _answer(row: InstalledCli, workspace: Workspace) -> wire.TrialAnswer:
    is_default = workspace.default_backend == row.backend
    params: wire.TrialParams = {
        "environment": workspace.environment,
        "backend": row.backend,
        "model": workspace.default_model if is_default else "",
        "seconds": settings.CLI_TRIAL_SECONDS,
        "earlier": row.good_program if row.good_fingerprint != row.fingerprint else "",
        "earlier_fingerprint": row.good_fingerprint,
    }
    patience = 2 * settings.CLI_TRIAL_SECONDS + MORE_SECONDS
    return hosts.get(row.host.address).call("try_turn", params, timeout=patience)


def _postpone(row: InstalledCli, error: HostError) -> None:
    """Try again later if the host can't be reached. What else fails here must not hold runs."""
    if error.retryable:
        note_down(row.host, error)
        again = row.state in (InstalledCli.State.TRYING, InstalledCli.State.HELD)
        changes.save(row, try_at=timezone.now() + HOST_PAUSE if again else None, wanted=False)
        return
    log.warning("no trial turn of %s: %s", row, error)
    changes.save_verdict(row, TurnVerdict(None, "other", str(error)))


def workspace_at(host: Host, digest: str) -> Workspace | None:
    """Return a workspace of this host and environment, whose variables and default model are used."""
    found = (workspace for workspace in Workspace.objects.order_by("pk") if lies_on(workspace, host))
    return next((each for each in found if digest_of(each.environment) == digest), None)
