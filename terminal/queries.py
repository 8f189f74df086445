"""The sessions that a person sees: those that live on the hosts, with what is known of their tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.urls import reverse

from aitask.lib.badges import Badge
from tasks import queries as tasks
from tasks.models import Task
from terminal.control.listing import Row
from workspaces.access import visible_workspaces
from workspaces.hosts import Address
from workspaces.models import Host, Installation, Workspace


@dataclass(frozen=True)
class Session:
    """One session of the sidebar."""

    key: str
    url: str
    title: str
    name: str
    task: Task | None
    badge: Badge | None
    needs_you: bool
    active_at: datetime | None
    "When something was last printed in it."


@dataclass(frozen=True)
class WorkspaceSessions:
    """The sessions of a workspace, the last active first."""

    workspace: Workspace
    host_label: str
    trouble: str
    "Why nothing is known of its host just now."
    sessions: list[Session]


Sight = Mapping[str, list[Row] | str]
"""What each host (by key) has just said: its windows, or why it can't be asked."""


def addresses(user: AbstractBaseUser | AnonymousUser) -> dict[str, Address]:
    """The hosts of the workspaces that the user sees."""
    by_key = {workspace.address.key: workspace for workspace in visible_workspaces(user)}
    return {key: workspace.host.address for key, workspace in by_key.items()}


def groups(user: AbstractBaseUser | AnonymousUser, sight: Sight) -> list[WorkspaceSessions]:
    """All live sessions that are ours, by workspace."""
    key = Installation.current_key()
    by_owner = {host: _sessions(rows, key) for host, rows in sight.items() if not isinstance(rows, str)}
    lost = tasks.lost_hosts()
    all_tasks = _tasks(user, by_owner)
    labels = dict(Host.objects.values_list("key", "alias"))
    made = [
        _group(workspace, sight, by_owner, all_tasks, lost, labels) for workspace in visible_workspaces(user)
    ]
    return [group for group in made if group.sessions or group.trouble]


def _sessions(rows: Iterable[Row], installation: str) -> dict[str, list[Row]]:
    """Windows by the mark behind our installation's key: a task's number, or w and a workspace's."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        owner, _, mark = row.owner.partition("/")
        if owner == installation and mark:
            found.setdefault(mark, []).append(row)
    return found


def _tasks(
    user: AbstractBaseUser | AnonymousUser, by_owner: Mapping[str, Mapping[str, list[Row]]]
) -> QuerySet[Task]:
    numbers = {int(mark) for marks in by_owner.values() for mark in marks if mark.isdecimal()}
    return tasks.with_newest_run(user).filter(pk__in=numbers)


def _group(
    workspace: Workspace,
    sight: Sight,
    by_owner: Mapping[str, Mapping[str, list[Row]]],
    all_tasks: Iterable[Task],
    lost: set[str],
    labels: Mapping[str, str],
) -> WorkspaceSessions:
    host = workspace.address.key
    said, marks = sight.get(host, []), by_owner.get(host, {})
    found = [
        _of_task(task, marks[str(task.pk)], lost)
        for task in all_tasks
        if task.workspace_id == workspace.pk and str(task.pk) in marks
    ]
    if rows := marks.get(f"w{workspace.pk}"):
        found.append(_of_workspace(workspace, rows))
    found.sort(key=lambda session: session.active_at or datetime.min.replace(tzinfo=UTC), reverse=True)
    label = labels.get(host) or "this machine"
    return WorkspaceSessions(workspace, label, said if isinstance(said, str) else "", found)


def _of_task(task: Task, rows: list[Row], lost: set[str]) -> Session:
    card = tasks.card_of(task, lost)
    return Session(
        key=f"task-{task.pk}",
        url=reverse("task_terminal", args=[task.pk]),
        title=task.title,
        name=rows[0].session,
        task=task,
        badge=card.badge,
        needs_you=card.needs_you,
        active_at=_last_active(rows),
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
    )


def _last_active(rows: list[Row]) -> datetime | None:
    latest = max((row.activity for row in rows), default=0)
    return datetime.fromtimestamp(latest, UTC) if latest else None
