"""Ask a host's CLIs for their models and save the answers: in a worker or a command, never in a request."""

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
"""For connecting and for all CLIs, which have ten seconds each."""
REFRESH = timedelta(days=1)
"How long a list is valid: CLIs update themselves."
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(minutes=15)
"Pause before a host that could not be reached is tried again, doubled at each failure."


def ask(host_id: int, digest: str, force: bool = False) -> None:
    """Job: ask one host in one environment. Does nothing if another worker has the lease."""
    with leases.held(ModelList.objects.filter(host=host_id, environment=digest)) as taken:
        if taken:
            ask_now(Host.objects.get(pk=host_id), digest, force=force)


def ask_now(host: Host, digest: str, *, force: bool = True) -> list[ModelList]:
    """Ask, save and return the lists. They become stale if the host can't be reached."""
    environment = _environment(host, digest)
    rows = list(ModelList.objects.filter(host=host, environment=digest).select_related("host"))
    if environment is None:  # no workspace has this environment any more
        ModelList.objects.filter(host=host, environment=digest).delete()
        return []
    try:
        connection = hosts.get(host.address)
        connection.hello(force=force)
        note_up(host)
        started = timezone.now()
        known = {} if force else {row.backend: row.fingerprint for row in rows if row.is_young}
        answers = connection.call(
            "models", {"environment": environment, "known": known}, timeout=CALL_SECONDS
        )
    except HostError as error:
        return [_keep_as_stale(row, error) for row in rows]
    return [_take(row, answers[row.backend], started) for row in rows if row.backend in answers]


def ask_host(host: Host) -> list[ModelList]:
    """Ask one host in all its environments, in this process."""
    lists: list[ModelList] = []
    for digest in sorted(environments(host)):
        ModelList.make_rows(host, digest)
        lists += ask_now(host, digest)
    return lists


def _environment(host: Host, digest: str) -> dict[str, str] | None:
    """Return the variables with this digest; None if no workspace of the host has them."""
    if not digest:
        return {}
    workspaces = (workspace for workspace in Workspace.objects.all() if lies_on(workspace, host))
    return next((each.environment for each in workspaces if digest_of(each.environment) == digest), None)


def _take(row: ModelList, answer: wire.ModelsAnswer, started: datetime) -> ModelList:
    """Save the answer of one CLI."""
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
    return _save(row, started, due_at=timezone.now() + REFRESH)


def _why_not(row: ModelList, answer: wire.ModelsAnswer) -> str:
    """Return why the last list is kept; empty if the answer replaces it."""
    if answer["error"]:
        return answer["error"]
    if answer["logged_in"] is False and row.models and row.logged_in:
        # Without a login the CLI does not list what the account may use.
        return f"No longer logged in on {row.host.label}. The list is from the last login."
    return ""


def _keep_as_stale(row: ModelList, error: HostError) -> ModelList:
    """Keep the last list as stale, and schedule another try if the error may be temporary."""
    if error.code != "local_unsupported":
        note_down(row.host, error)
    row.stale, row.error = True, str(error)[:1000]
    pause = min(LAST_RETRY, FIRST_RETRY * 2 ** min(row.failures, 10))
    row.failures = min(row.failures + 1, 100)
    return _save(row, timezone.now(), due_at=timezone.now() + pause if error.retryable else None)


def _save(row: ModelList, started: datetime, *, due_at: datetime | None) -> ModelList:
    """Save all fields but the lease. A request made since `started` stays due."""
    row.asked_at = timezone.now()
    kept = ("id", "host", "backend", "environment", "due_at", "lease_owner", "lease_until")
    values = {
        field.attname: getattr(row, field.attname) for field in row._meta.fields if field.name not in kept
    }
    ModelList.objects.filter(pk=row.pk).update(**values)
    ModelList.objects.filter(Q(due_at=None) | Q(due_at__lte=started), pk=row.pk).update(due_at=due_at)
    doorbell.ring("models", "board")
    return row
