"""Access to terminals: a separate permission, limited to the workspaces that the user can see."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from tasks import access as task_access
from terminal.places import Place
from workspaces import access as workspace_access
from workspaces.models import Host

PERMISSION = "terminal.use_terminal"
NO_PERMISSION = "You don't have permission to use terminals. An administrator can grant it."
Visitor = AbstractBaseUser | AnonymousUser


def may_use(user: Visitor) -> bool:
    """Return whether the user may use terminals, which give full access to the account on the host."""
    has_perm = getattr(user, "has_perm", None)
    return bool(getattr(user, "is_active", False) and has_perm and has_perm(PERMISSION))


def require(user: Visitor) -> None:
    """Raise PermissionDenied without the permission."""
    if not may_use(user):
        raise PermissionDenied(NO_PERMISSION)


def place_for(user: Visitor, kind: str, pk: int) -> Place:
    """Return the place of a task's, workspace's or host's session.

    Raises PermissionDenied without the permission, and Http404 if the user has no access to the object.
    """
    require(user)
    if kind == "host":
        if not workspace_access.may_add(user):
            raise PermissionDenied(workspace_access.NO_ADDING)
        return Place.of_host(get_object_or_404(Host, pk=pk))
    if kind == "task":
        return Place.of_task(task_access.task_for(user, pk))
    return Place.of_workspace(workspace_access.workspace_for(user, pk))
