"""Request new model lists. `due_at` of a row records the request, so that a lost job is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from aitask.lib import leases
from workspaces.catalog import jobs
from workspaces.catalog.queries import environments, lies_on
from workspaces.hosts import local
from workspaces.models import Host, Workspace
from workspaces.models.model_list import ModelList, digest_of

QUEUED_FOR = timedelta(seconds=15)
"A queued job that has not started after this time counts as lost."


def request_at_start() -> None:
    """Request the lists of every known host at the start of a process. May be called repeatedly."""
    for host in known():
        request_lists(host)


def known() -> list[Host]:
    """Return the hosts of all workspaces, and this machine if agents can run on it."""
    rows = {workspace.host.pk: workspace.host for workspace in Workspace.objects.all()}
    if local.supported():
        own, _ = Host.objects.get_or_create(key="local", defaults={"kind": "local"})
        rows.setdefault(own.pk, own)
    return list(rows.values())


def request_for_workspace(workspace: Workspace) -> None:
    """Request the lists that the workspace lacks."""
    host = workspace.host
    missing = [
        digest for digest in ("", digest_of(workspace.environment)) if not _lists(host, digest).exists()
    ]
    _request(host, missing)


def request_missing() -> None:
    """Request the lists that any workspace lacks."""
    for workspace in Workspace.objects.all():
        request_for_workspace(workspace)


def request_lists(host: Host, *, force: bool = False) -> None:
    """Request the lists of a host in all its environments.

    Without `force`, a young list of an unchanged CLI is kept.
    """
    _request(host, environments(host), force=force)


def request_list(host: Host, digest: str) -> None:
    """Request the lists of one environment."""
    _request(host, [digest])


def request_when_back(host: Host) -> None:
    """Request the lists of a host whose link is up again, if it has lists or workspaces."""
    if ModelList.objects.filter(host=host).exists() or any(lies_on(w, host) for w in Workspace.objects.all()):
        request_lists(host)


def enqueue_due() -> None:
    """Enqueue what is due: requests whose job was lost, and retries of hosts."""
    rows = ModelList.objects.filter(leases.unleased(), due_at__lte=timezone.now())
    for host_id, digest in set(rows.values_list("host", "environment")):
        _enqueue(host_id, digest)


def _request(host: Host, digests: Iterable[str], *, force: bool = False) -> None:
    now = timezone.now()
    for digest in digests:
        ModelList.make_rows(host, digest)
        _lists(host, digest).filter(Q(due_at=None) | Q(due_at__gt=now)).update(due_at=now)
        _enqueue(host.pk, digest, force=force)


def _lists(host: Host, digest: str) -> QuerySet[ModelList]:
    return ModelList.objects.filter(host=host, environment=digest)


def _enqueue(host_id: int, digest: str, *, force: bool = False) -> None:
    rows = ModelList.objects.filter(host=host_id, environment=digest)
    leases.enqueue_once(rows, jobs.ask, host_id, digest, force, even_if_queued=force, patience=QUEUED_FOR)
