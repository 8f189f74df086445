"""What users do with workspaces and hosts."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.hooks import Hook
from workspaces import hosts
from workspaces.catalog import services as catalog_services
from workspaces.hosts import HostError
from workspaces.models import Host, Workspace

BUSY = ("queued", "running")

workspace_saved: Hook[[Workspace]] = Hook()
"""A workspace was added or changed, after it has been saved."""


def save_workspace(workspace: Workspace, *, members: Iterable[User] | None = None) -> Workspace:
    """Save a valid workspace, and its members if given; model lists that it lacks are requested.

    Raises Refused when another one of its name was made at the same moment.
    """
    try:
        with transaction.atomic():
            workspace.save()
            if members is not None:
                workspace.members.set(members)
    except IntegrityError as error:
        raise Refused(
            f"There is a workspace called {workspace.name} already.", "Choose another name."
        ) from error
    catalog_services.request_for_workspace(workspace)
    workspace_saved(workspace)
    doorbell.ring(f"workspace:{workspace.pk}", "board")
    return workspace


def accept_host_key(row: Host, fingerprint: str) -> None:
    """Trust the key that a person compared; it is read from the server again and must be the same one.

    Raises HostError: host_key_changed when the server shows another key now, else why it can't be asked.
    A jump host's key is accepted in the same way, one after the other.
    """
    question = unknown_key(row)
    if question is None:
        return
    if question.data["fingerprint"] != fingerprint:
        raise HostError(
            f"ALARM: {question.data['host']} shows another host key now than the one that you were shown.",
            "Do not accept it; ask whoever runs the machine for its fingerprint.",
            code="host_key_changed",
            data=question.data,
        )
    with transaction.atomic():
        fresh = Host.objects.select_for_update().get(pk=row.pk)
        fresh.accepted_keys = list(dict.fromkeys([*fresh.accepted_keys, question.data["line"]]))
        fresh.save(update_fields=["accepted_keys"])
    row.accepted_keys = fresh.accepted_keys
    hosts.get(row.address)


def unknown_key(row: Host) -> HostError | None:
    """The question about the key that the server shows now; None when it is known. Raises HostError."""
    try:
        hosts.get(row.address).hello(force=True)
    except HostError as error:
        if error.code != "host_key_unknown":
            raise
        return error
    return None


def delete_workspace(workspace: Workspace) -> None:
    """Remove it with its tasks and runs; sessions, worktrees and branches stay on the host."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        if workspace.tasks.filter(status__in=BUSY).exists():
            raise Refused(f"{workspace.name} has tasks that are queued or running.", "Cancel them first.")
        workspace.delete()
