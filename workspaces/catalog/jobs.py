"""Ask a host's CLIs for their models and keep what they say: in a worker or a command, never for a page."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell, leases
from workspaces import hosts
from workspaces.catalog.queries import environments, lies_on
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host, Workspace
from workspaces.models.model_list import ModelList, digest_of

CALL_SECONDS = 30.0
"""For connecting and for both CLIs, which have ten seconds each."""
AGAIN = timedelta(days=1)
"How long a list is taken for good while the server runs on: CLIs update themselves."
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(minutes=15)
"When a host that was away is tried again, doubled at each failure."


def ask(host_id: int, digest: str, force: bool = False) -> None:
    """The worker's job: ask one host in one environment. Whoever comes second leaves quietly."""
    with leases.held(ModelList.objects.filter(host=host_id, environment=digest)) as taken:
        if taken:
            ask_now(Host.objects.get(pk=host_id), digest, force=force)


def ask_now(host: Host, digest: str, *, force: bool = True) -> list[ModelList]:
    """Ask and save; the lists as they stand then. A host that can't be reached makes them stale."""
    environment = _environment(host, digest)
    rows = list(ModelList.objects.filter(host=host, environment=digest).select_related("host"))
    if environment is None:  # no workspace is like this any more
        ModelList.objects.filter(host=host, environment=digest).delete()
        return []
    try:
        door = hosts.get(host.address)
        door.hello(force=force)
        note_up(host)
        started = timezone.now()
        known = {} if force else {row.backend: row.fingerprint for row in rows if row.is_young}
        answers = door.call("models", {"environment": environment, "known": known}, timeout=CALL_SECONDS)
    except HostError as error:
        return [_keep_as_stale(row, error) for row in rows]
    return [_take(row, answers[row.backend], started) for row in rows if row.backend in answers]


def ask_host(host: Host) -> list[ModelList]:
    """Ask one host in all its environments, here and now."""
    lists: list[ModelList] = []
    for digest in sorted(environments(host)):
        ModelList.make_rows(host, digest)
        lists += ask_now(host, digest)
    return lists


def _environment(host: Host, digest: str) -> dict[str, str] | None:
    """The variables that this digest stands for; None when no workspace of the host has them."""
    if not digest:
        return {}
    mine = (workspace for workspace in Workspace.objects.all() if lies_on(workspace, host))
    return next((each.environment for each in mine if digest_of(each.environment) == digest), None)


def _take(row: ModelList, answer: wire.ModelsAnswer, started: datetime) -> ModelList:
    """Keep what one CLI answered."""
    if not answer.get("unchanged"):
        row.present, row.path = bool(answer["path"]), answer["path"] or ""
        if reason := _why_not(row, answer):
            row.stale, row.error = True, reason[:1000]
        else:
            row.stale, row.error, row.fetched_at = False, "", timezone.now()
            row.models, row.cli_version = answer["models"], (answer["version"] or "")[:100]
            row.account, row.logged_in = answer["account"][:100], answer["logged_in"]
            row.fingerprint = answer.get("fingerprint", "")
    row.failures = 0
    return _save(row, started, due_at=timezone.now() + AGAIN)


def _why_not(row: ModelList, answer: wire.ModelsAnswer) -> str:
    """Why the last list stays; empty when the answer takes its place."""
    if answer["error"]:
        return answer["error"]
    if answer["logged_in"] is False and row.models and row.logged_in:
        # What it lists without a login is not what the account may use.
        return f"Nobody is logged in on {row.host.label} any more; the list is that of the last login."
    return ""


def _keep_as_stale(row: ModelList, error: HostError) -> ModelList:
    """The host was not reached: the lists stay; it is tried again when that may help."""
    if error.code != "local_unsupported":
        note_down(row.host, error)
    row.stale, row.error = True, str(error)[:1000]
    pause = min(LAST_RETRY, FIRST_RETRY * 2 ** min(row.failures, 10))
    row.failures = min(row.failures + 1, 100)
    return _save(row, timezone.now(), due_at=timezone.now() + pause if error.retryable else None)


def _save(row: ModelList, started: datetime, *, due_at: datetime | None) -> ModelList:
    """All but the lease; a wish that came while the CLI was asked stays due."""
    row.asked_at = timezone.now()
    kept = ("id", "host", "backend", "environment", "due_at", "lease_owner", "lease_until")
    values = {
        field.attname: getattr(row, field.attname) for field in row._meta.fields if field.name not in kept
    }
    ModelList.objects.filter(pk=row.pk).update(**values)
    ModelList.objects.filter(Q(due_at=None) | Q(due_at__lte=started), pk=row.pk).update(due_at=due_at)
    doorbell.ring("models", "board")
    return row
