"""Rows for tests: each function makes one with sensible fields, any of which may be given."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from tasks.models import Event, Run, Task
from workspaces.models import Workspace

numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    return User.objects.create_user(name or f"user{next(numbers)}", password="correct horse", **fields)


def make_owner(name: str = "") -> User:
    """A user who may add workspaces and hosts."""
    user = make_user(name)
    user.user_permissions.add(Permission.objects.get(codename="add_workspace"))
    return User.objects.get(pk=user.pk)


def make_workspace(**fields: Any) -> Workspace:
    name = fields.pop("name", f"workspace {next(numbers)}")
    owner = fields.pop("owner", None) or make_user()
    return Workspace.objects.create(**{"owner": owner, "name": name, "repo_path": "/srv/repo", **fields})


def make_task(**fields: Any) -> Task:
    workspace = fields.pop("workspace", None) or make_workspace()
    number = next(numbers)
    given = {
        "title": f"Task {number}",
        "prompt": "Do it.",
        "backend": "claude_code",
        "rank": float(number),
        **fields,
    }
    return Task.objects.create(workspace=workspace, **given)


def make_run(**fields: Any) -> Run:
    task = fields.pop("task", None) or make_task()
    given = {
        "number": task.runs.count() + 1,
        "backend": task.backend,
        "permission_mode": "edits",
        "prompt": task.prompt,
        **fields,
    }
    return Run.objects.create(task=task, **given)


def make_event(run: Run, kind: str = "text", **data: Any) -> Event:
    seq = run.events.count() + 1
    run.last_seq = seq
    run.save(update_fields=["last_seq"])
    return Event.objects.create(run=run, seq=seq, at=timezone.now(), kind=kind, data=data)
