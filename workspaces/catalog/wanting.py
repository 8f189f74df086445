"""Say that lists are to be asked for. The row says what is due; the nudge to a worker may get lost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from aitask.lib.queue import enqueue
from workspaces.hosts import local
from workspaces.models import Backend, Host, Workspace
from workspaces.models.model_list import ModelList, digest_of, unleased

NUDGE = timedelta(seconds=15)
"How long a nudge may take before it counts as lost."
JOB = "workspaces.catalog.asking.ask"


def at_start() -> None:
    """A backend starts: ask every known host. Any number of processes may say so."""
    for host in known():
        want(host)


def known() -> list[Host]:
    """The hosts that a workspace lies on, and this machine where agents can run on it."""
    rows = {workspace.host.pk: workspace.host for workspace in Workspace.objects.all()}
    if local.supported():
        own, _ = Host.objects.get_or_create(key="local", defaults={"kind": "local"})
        rows.setdefault(own.pk, own)
    return list(rows.values())


def want_workspace(workspace: Workspace) -> None:
    """A workspace was added or changed: ask for the lists that are not there yet."""
    host = workspace.host
    missing = [
        digest for digest in ("", digest_of(workspace.environment)) if not _lists(host, digest).exists()
    ]
    _want(host, missing)


def missing() -> None:
    """Ask for what a new or changed workspace lacks, whoever wrote it."""
    for workspace in Workspace.objects.all():
        want_workspace(workspace)


def want(host: Host, *, force: bool = False) -> None:
    """Ask a host in each of its environments; a young list stays when the CLI is the same, unless forced."""
    _want(host, environments(host), force=force)


def environments(host: Host) -> set[str]:
    """Digests of what its workspaces set, and the bare one that a new workspace begins with."""
    own = (
        w for w in Workspace.objects.only("kind", "ssh_host", "ssh_user", "environment") if lies_on(w, host)
    )
    return {"", *(digest_of(workspace.environment) for workspace in own)}


def lies_on(workspace: Workspace, host: Host) -> bool:
    return workspace.address.key == host.key


def meet(host: Host) -> None:
    """A host that had been away, or was never met, has just answered."""
    if ModelList.objects.filter(host=host).exists() or any(lies_on(w, host) for w in Workspace.objects.all()):
        want(host)


def due() -> None:
    """Nudge for everything that is due: what a lost nudge or a dead worker left, and hosts that were away."""
    rows = ModelList.objects.filter(unleased(), due_at__lte=timezone.now())
    for host_id, digest in set(rows.values_list("host", "environment")):
        _nudge(host_id, digest)


def _want(host: Host, digests: Iterable[str], *, force: bool = False) -> None:
    now = timezone.now()
    for digest in digests:
        make_rows(host, digest)
        _lists(host, digest).filter(Q(due_at=None) | Q(due_at__gt=now)).update(due_at=now)
        _nudge(host.pk, digest, force=force)


def make_rows(host: Host, digest: str) -> None:
    """A row for each CLI, empty until it has answered."""
    for backend in Backend.values:
        ModelList.objects.get_or_create(host=host, backend=backend, environment=digest)


def _lists(host: Host, digest: str) -> QuerySet[ModelList]:
    return ModelList.objects.filter(host=host, environment=digest)


def _nudge(host_id: int, digest: str, *, force: bool = False) -> None:
    """Send for a worker, unless one is there or (not forced) sent for."""
    free = unleased() | Q(lease_owner="") if force else unleased()
    rows = ModelList.objects.filter(free, host=host_id, environment=digest)
    if rows.update(lease_until=timezone.now() + NUDGE, lease_owner=""):
        enqueue(JOB, host_id, digest, force)
