"""The sessions that a user can see: what runs on the hosts, joined with the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from aitask.lib.badges import Badge
from tasks.access import visible_tasks
from tasks.board.cards import card_of, lost_hosts
from tasks.models import Task
from tasks.runs.queries import with_newest_runs
from terminal.control.listing import Row
from terminal.finished import is_finished
from terminal.models import Visit
from terminal.places import Place
from workspaces.access import may_add, visible_workspaces
from workspaces.hosts import Address
from workspaces.models import Host, Installation, Workspace

SHELL_DAYS = 30
"""How long after it was opened a shell of a host is looked for."""


@dataclass(frozen=True)
class Session:
    """A session in the sidebar."""

    key: str
    url: str
    title: str
    name: str
    task: Task | None
    badge: Badge | None
    needs_you: bool
    active_at: datetime | None
    "Time of the last output."
    created: int
    is_finished: bool = False
    "Whether only the idle shell that an ended run has left is there."


@dataclass(frozen=True)
class WorkspaceSessions:
    """The sessions of a workspace, in the order in which they were opened."""

    workspace: Workspace
    host_label: str
    trouble: str
    "Why the host's sessions can't be listed; empty if they can."
    sessions: list[Session]


Listings = Mapping[str, list[Row] | str]
"""By key of the host: its windows, or why they can't be listed."""


def addresses(user: AbstractBaseUser | AnonymousUser) -> dict[str, Address]:
    """Return the hosts of the workspaces that the user can see, and of the user's host shells, by key."""
    by_key = {workspace.address.key: workspace for workspace in visible_workspaces(user)}
    found = {key: workspace.host.address for key, workspace in by_key.items()}
    return found | {host.key: host.address for host in _shell_hosts(user)}


def _shell_hosts(user: AbstractBaseUser | AnonymousUser) -> list[Host]:
    """Return the hosts on which the user has lately opened a shell without a workspace."""
    if isinstance(user, AnonymousUser) or not may_add(user):
        return []
    since = timezone.now() - timedelta(days=SHELL_DAYS)
    visits = Visit.objects.filter(user_id=user.pk, workspace=None, task_number=None, opened_at__gt=since)
    keys = set(visits.values_list("host", flat=True).order_by())
    return list(Host.objects.filter(key__in=keys)) if keys else []


def groups(user: AbstractBaseUser | AnonymousUser, listings: Listings) -> list[WorkspaceSessions]:
    """Return all live sessions of this installation, by workspace."""
    key = Installation.current_key()
    by_owner = {host: _by_mark(rows, key) for host, rows in listings.items() if not isinstance(rows, str)}
    lost = lost_hosts()
    all_tasks = _tasks(user, by_owner)
    labels = dict(Host.objects.values_list("key", "alias"))
    found = [
        _group(workspace, listings, by_owner, all_tasks, lost, labels)
        for workspace in visible_workspaces(user)
    ]
    shells = [_of_host(host, by_owner.get(host.key, {})) for host in _shell_hosts(user)]
    return [group for group in (*found, *shells) if group.sessions or group.trouble]


def _by_mark(rows: Iterable[Row], installation: str) -> dict[str, list[Row]]:
    """Group this installation's windows by their mark: `<task key>` or `w<workspace id>`."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        owner, _, mark = row.owner.partition("/")
        if owner == installation and mark:
            found.setdefault(mark, []).append(row)
    return found


def _tasks(
    user: AbstractBaseUser | AnonymousUser, by_owner: Mapping[str, Mapping[str, list[Row]]]
) -> list[Task]:
    keys = {mark for marks in by_owner.values() for mark in marks}
    old = Q(mark="", pk__in=[int(key) for key in keys if key.isdecimal()])
    return with_newest_runs(visible_tasks(user).filter(Q(mark__in=keys - {""}) | old))


def _group(
    workspace: Workspace,
    listings: Listings,
    by_owner: Mapping[str, Mapping[str, list[Row]]],
    all_tasks: Iterable[Task],
    lost: set[str],
    labels: Mapping[str, str],
) -> WorkspaceSessions:
    host = workspace.address.key
    listing, marks = listings.get(host, []), by_owner.get(host, {})
    found = [
        _of_task(task, marks[task.key], lost)
        for task in all_tasks
        if task.workspace_id == workspace.pk and task.key in marks
    ]
    if rows := marks.get(f"w{workspace.pk}"):
        found.append(_of_workspace(workspace, rows))
    found.sort(key=lambda session: (session.created, session.key))
    label = labels.get(host) or "this machine"
    return WorkspaceSessions(workspace, label, listing if isinstance(listing, str) else "", found)


def _of_host(host: Host, marks: Mapping[str, list[Row]]) -> WorkspaceSessions:
    """Return the shell of a host, under the host's own name."""
    place = Place.of_host(host)
    rows = marks.get(f"h{host.pk}", [])
    shell = Session(
        key=f"host-{host.pk}",
        url=place.url,
        title="Shell",
        name=place.session,
        task=None,
        badge=None,
        needs_you=False,
        active_at=_last_active(rows),
        created=rows[0].created if rows else 0,
    )
    return WorkspaceSessions(place.workspace, "", "", [shell] if rows else [])


def _of_task(task: Task, rows: list[Row], lost: set[str]) -> Session:
    card = card_of(task, lost)
    return Session(
        key=f"task-{task.pk}",
        url=reverse("task_terminal", args=[task.pk]),
        title=task.title,
        name=rows[0].session,
        task=task,
        badge=card.badge,
        needs_you=card.needs_you,
        active_at=_last_active(rows),
        created=rows[0].created,
        is_finished=is_finished(task, rows),
    )


def _of_workspace(workspace: Workspace, rows: list[Row]) -> Session:
    return Session(
        key=f"workspace-{workspace.pk}",
        url=reverse("workspace_terminal", args=[workspace.pk]),
        title="Shell",
        name=rows[0].session,
        task=None,
        badge=None,
        needs_you=False,
        active_at=_last_active(rows),
        created=rows[0].created,
    )


def _last_active(rows: list[Row]) -> datetime | None:
    latest = max((row.activity for row in rows), default=0)
    return datetime.fromtimestamp(latest, UTC) if latest else None
