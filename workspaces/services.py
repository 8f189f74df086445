"""Changes of workspaces and hosts."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.hooks import Hook
from workspaces import hosts
from workspaces.catalog import services as catalog_services
from workspaces.git import trust
from workspaces.git.repos import locate
from workspaces.hosts import HostError
from workspaces.models import Host, Workspace

BUSY = ("queued", "running")
LIVE_RUNS = ("queued", "starting", "running", "waiting")
LIVE_TRAINS = ("queued", "running", "undoing")
SPOTLIGHT_ON = ("showing", "shown", "returning")
"States of tasks, runs, merge trains and Spotlight with which a workspace can't be deleted."

workspace_saved: Hook[[Workspace]] = Hook()
"""Called after a workspace was added or changed."""


def save_workspace(workspace: Workspace, *, members: Iterable[User] | None = None) -> Workspace:
    """Save a valid workspace, and its members if given, and request the model lists it lacks.

    Raises `Refused` if its owner already has another one with this name.
    """
    try:
        with transaction.atomic():
            workspace.save()
            if members is not None:
                workspace.members.set(members)
    except IntegrityError as error:
        raise Refused(
            f"{workspace.owner.get_username()} already has a workspace called {workspace.name}.",
            "Choose another name.",
        ) from error
    catalog_services.request_for_workspace(workspace)
    workspace_saved(workspace)
    doorbell.ring(f"workspace:{workspace.pk}", "board")
    return workspace


def accept_host_key(row: Host, fingerprint: str) -> None:
    """Trust the key that the user compared, if the server still presents it.

    Raises HostError: `host_key_changed` if the server presents another key now, else why it can't be reached.
    The keys of jump hosts are accepted in the same way, one after another.
    """
    unknown = unknown_key(row)
    if unknown is None:
        return
    if unknown.data["fingerprint"] != fingerprint:
        raise HostError(
            f"ALARM: {unknown.data['host']} presents a different host key than the one shown to you.",
            "Do not accept it. Ask the machine's administrator for its fingerprint.",
            code="host_key_changed",
            data=unknown.data,
        )
    with transaction.atomic():
        locked = Host.objects.select_for_update().get(pk=row.pk)
        locked.accepted_keys = list(dict.fromkeys([*locked.accepted_keys, unknown.data["line"]]))
        locked.save(update_fields=["accepted_keys"])
    row.accepted_keys = locked.accepted_keys
    hosts.get(row.address)


def unknown_key(row: Host) -> HostError | None:
    """Return the error about the key that the server presents now; None if it is known. Raises HostError."""
    try:
        hosts.get(row.address).hello(force=True)
    except HostError as error:
        if error.code != "host_key_unknown":
            raise
        return error
    return None


def decide_git_changes(workspace: Workspace, digest: str, *, use: bool) -> None:
    """Use changed git settings and hooks from now on, or keep what was trusted. Raises Refused."""
    host = hosts.get(workspace.host.address)
    trust.decide(host, locate(host, workspace.repo_path).path, digest, use=use)


def forget_agent_settings(workspace: Workspace) -> None:
    """Forget which hooks, servers and permissions of branches a user has allowed for agents."""
    Workspace.objects.filter(pk=workspace.pk).update(allowed_agent_settings=[])


def delete_workspace(workspace: Workspace, name: str) -> None:
    """Delete it with its tasks and runs; sessions, worktrees and branches stay on the host.

    Raises Refused unless `name` is its name, and while something runs or is merged there.
    """
    if name.strip() != workspace.name:
        raise Refused(f"Nothing was deleted: the name is {workspace.name}.", "Type exactly this name.")
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        check_deletable(workspace)
        workspace.delete()
    doorbell.ring("board")


def check_deletable(workspace: Workspace) -> None:
    """Raise Refused while a task is queued, running or shown by Spotlight, or a merge train is under way."""
    live = Q(status__in=BUSY) | Q(runs__state__in=LIVE_RUNS)
    if workspace.tasks.filter(live).exists():
        raise Refused(f"{workspace.name} has tasks that are queued or running.", "Cancel them first.")
    if workspace.trains.filter(state__in=LIVE_TRAINS).exists():
        raise Refused(f"A merge train is running in {workspace.name}.", "Stop it, or wait for its end.")
    if Workspace.objects.filter(pk=workspace.pk, spotlight__state__in=SPOTLIGHT_ON).exists():
        raise Refused(f"Spotlight shows a task in the checkout of {workspace.name}.", "Go back first.")
