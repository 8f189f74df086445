"""What the workers do for usage: ask the CLIs how full their plans are, every five minutes at most."""

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
"Between two askings of the same login, whoever wants it."
CALL_SECONDS = 45.0


def ask_all() -> None:
    """The schedule, which comes more often than it asks: one job per login that is due."""
    ledger.catch_up()
    limits.prune()
    for workspace in limits.logins(Workspace.objects.all()).values():
        if any(_is_due(source) for source in _sources(workspace)):
            enqueue(ask, workspace.pk)


def ask(workspace_id: int) -> bool:
    """Ask the CLIs of a workspace's host with its variables; False when that was done a moment ago."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None or not _claim(workspace):
        return False
    sources = _sources(workspace)
    try:
        params: wire.EnvironmentParams = {"environment": workspace.environment}
        answers = hosts.get(workspace.host.address).call("limits", params, timeout=CALL_SECONDS)
    except HostError as error:
        for source in sources:
            _note_failure(source, str(error))
    else:
        for source in sources:
            _take(source, answers.get(source.backend))
    doorbell.ring("board", "queue", "usage")
    return True


def compare_with_transcripts(workspace_id: int) -> None:
    """Audit one workspace; a host that can't be reached is noted beside the last result."""
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
    """By compare-and-set, so that any number of wishes make one question."""
    pks = [source.pk for source in _sources(workspace)]
    due = Q(asked_at=None) | Q(asked_at__lte=timezone.now() - PAUSE)
    return bool(PlanSource.objects.filter(due, pk__in=pks).update(asked_at=timezone.now()))


def _take(source: PlanSource, answer: wire.LimitsAnswer | None) -> None:
    """Keep the windows; without any the last ones stay, with the reason."""
    if answer is None:
        source.present = False
        _note_failure(source, "The host's hostkit did not answer for this CLI.")
        return
    source.present = bool(answer.get("path"))
    known = source.account if answer.get("has_plan", True) else ""
    source.account = (answer.get("account") or known)[:100]
    if error := answer.get("error"):
        _note_failure(source, error)
        return
    now = timezone.now()
    limits.keep(source, answer["windows"], now, answer.get("way") or LimitReading.Origin.ASKED)
    source.answered_at, source.error = now, ""
    source.save(update_fields=["present", "account", "answered_at", "error"])


def _note_failure(source: PlanSource, why: str) -> None:
    source.error = why[:500]
    source.save(update_fields=["present", "account", "error"])


def next_asking(workspaces: list[Workspace]) -> Any:
    """When the button may ask again; None: now."""
    wanted = {digest_of(workspace.environment) for workspace in workspaces}
    sources = limits.sources_of(workspaces)
    last = min((source.asked_at for source in sources if source.asked_at), default=None)
    if last is None or len({source.environment for source in sources}) < len(wanted):
        return None
    return last + PAUSE if last + PAUSE > timezone.now() else None
