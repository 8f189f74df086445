"""Jobs of the workers: request the plan limits from the CLIs, and audit a workspace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.queue import enqueue
from usage import ledger, limits
from usage.audit import audit
from usage.models import Audit, LimitReading, PlanSource
from workspaces import clis, hosts
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.models import Workspace
from workspaces.models.model_list import digest_of

PAUSE = timedelta(minutes=5)
"Minimum time between two requests for the same login."
CALL_SECONDS = 45.0


def ask_all() -> None:
    """Enqueue a job per login that is due. Runs every minute, by the schedule."""
    ledger.catch_up()
    limits.prune()
    for workspace in limits.logins(Workspace.objects.all()).values():
        if any(_is_due(source) for source in _sources(workspace)):
            enqueue(ask, workspace.pk)


def ask(workspace_id: int) -> bool:
    """Request the plan limits from the CLIs on a workspace's host, with the workspace's variables.

    Returns False if they were requested within the last five minutes.
    """
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None or not _claim(workspace):
        return False
    sources = _sources(workspace)
    try:
        params: wire.EnvironmentParams = {"environment": workspace.environment}
        answers = hosts.get(workspace.host.address).call("limits", params, timeout=CALL_SECONDS)
    except HostError as error:
        for source in sources:
            _save_error(source, str(error))
    else:
        for source in sources:
            _save_answer(source, answers.get(source.backend))
    doorbell.ring("board", "queue", "usage")
    return True


def compare_with_transcripts(workspace_id: int) -> None:
    """Audit a workspace. If the host can't be reached, save the error and keep the last result."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None:
        return
    try:
        audit(workspace)
    except HostError as error:
        row, _ = Audit.objects.get_or_create(workspace=workspace)
        row.error = str(error)[:500]
        row.save(update_fields=["error"])


def _sources(workspace: Workspace) -> list[PlanSource]:
    return [limits.source_for(workspace, backend) for backend in clis.names()]


def _is_due(source: PlanSource) -> bool:
    return source.asked_at is None or source.asked_at <= timezone.now() - PAUSE


def _claim(workspace: Workspace) -> bool:
    """Mark the login as requested by compare-and-set, so that concurrent jobs make one request."""
    pks = [source.pk for source in _sources(workspace)]
    due = Q(asked_at=None) | Q(asked_at__lte=timezone.now() - PAUSE)
    return bool(PlanSource.objects.filter(due, pk__in=pks).update(asked_at=timezone.now()))


def _save_answer(source: PlanSource, answer: wire.LimitsAnswer | None) -> None:
    """Save the windows. On an error save only the error; the last readings stay."""
    if answer is None:
        source.present = False
        _save_error(source, "The host returned no answer for this CLI.")
        return
    source.present = bool(answer.get("path"))
    known = source.account if answer.get("has_plan", True) else ""
    source.account = (answer.get("account") or known)[:100]
    if error := answer.get("error"):
        _save_error(source, error)
        return
    now = timezone.now()
    limits.store(source, answer["windows"], now, answer.get("way") or LimitReading.Origin.ASKED)
    source.answered_at, source.error = now, ""
    source.save(update_fields=["present", "account", "answered_at", "error"])


def _save_error(source: PlanSource, error: str) -> None:
    source.error = error[:500]
    source.save(update_fields=["present", "account", "error"])


def next_request_at(workspaces: list[Workspace]) -> Any:
    """Return when the limits may be requested again; None if now."""
    environments = {digest_of(workspace.environment) for workspace in workspaces}
    sources = limits.sources_of(workspaces)
    last = min((source.asked_at for source in sources if source.asked_at), default=None)
    if last is None or len({source.environment for source in sources}) < len(environments):
        return None
    return last + PAUSE if last + PAUSE > timezone.now() else None
