"""Who may use which terminal: a permission of its own, and only in workspaces that the user sees."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied

from tasks import access as task_access
from terminal.places import Place
from workspaces import access as workspace_access

PERMISSION = "terminal.use_terminal"
Visitor = AbstractBaseUser | AnonymousUser


def may_use(user: Visitor) -> bool:
    """A terminal is everything that the account on the host can do."""
    has_perm = getattr(user, "has_perm", None)
    return bool(getattr(user, "is_active", False) and has_perm and has_perm(PERMISSION))


def place_for(user: Visitor, kind: str, pk: int) -> Place:
    """The place of a task's or a workspace's session. Raises PermissionDenied, or Http404 for strangers."""
    if not may_use(user):
        raise PermissionDenied("You may not use terminals: an administrator can give you the permission.")
    if kind == "task":
        return Place.of_task(task_access.task_for(user, pk))
    return Place.of_workspace(workspace_access.workspace_for(user, pk))
