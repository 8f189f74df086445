"""Who may see and change a workspace. Others get 404, so that names don't leak."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from workspaces.models import Workspace

Visitor = AbstractBaseUser | AnonymousUser


def current_user(request: HttpRequest) -> User:
    """Return the logged-in user; the login middleware has rejected everyone else."""
    return cast("User", request.user)


def visible_workspaces(user: Visitor) -> QuerySet[Workspace]:
    """Return the user's own and shared workspaces; all of them for a superuser."""
    if isinstance(user, AnonymousUser):
        return Workspace.objects.none()
    if getattr(user, "is_superuser", False):
        return Workspace.objects.all()
    return Workspace.objects.filter(Q(owner_id=user.pk) | Q(members=user.pk)).distinct()


def workspace_for(user: Visitor, pk: int) -> Workspace:
    """Return the workspace if the user may see it, else raise Http404."""
    return get_object_or_404(visible_workspaces(user), pk=pk)


def can_edit(user: Visitor, workspace: Workspace) -> bool:
    """Return whether the user may change the settings: the owner and superusers may, members may not."""
    return workspace.owner_id == user.pk or bool(getattr(user, "is_superuser", False))


def workspace_for_change(user: Visitor, pk: int) -> Workspace:
    """Return the workspace if the user may edit it; 403 for members, 404 for everyone else."""
    workspace = workspace_for(user, pk)
    if not can_edit(user, workspace):
        raise PermissionDenied("Only its owner can change a workspace.")
    return workspace
