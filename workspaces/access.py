"""Who sees and changes which workspace. Strangers get 404, so that names don't leak."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from workspaces.models import Workspace

Visitor = AbstractBaseUser | AnonymousUser


def person(request: HttpRequest) -> User:
    """The one who is logged in; the login middleware lets nobody else in."""
    return cast("User", request.user)


def visible_workspaces(user: Visitor) -> QuerySet[Workspace]:
    """Own and shared ones; superusers see all."""
    if isinstance(user, AnonymousUser):
        return Workspace.objects.none()
    if getattr(user, "is_superuser", False):
        return Workspace.objects.all()
    return Workspace.objects.filter(Q(owner_id=user.pk) | Q(members=user.pk)).distinct()


def workspace_for(user: Visitor, pk: int) -> Workspace:
    """The workspace when the user sees it, else 404."""
    return get_object_or_404(visible_workspaces(user), pk=pk)


def can_edit(user: Visitor, workspace: Workspace) -> bool:
    """Members work in a workspace; its owner and superusers say how it works."""
    return workspace.owner_id == user.pk or bool(getattr(user, "is_superuser", False))


def workspace_for_change(user: Visitor, pk: int) -> Workspace:
    """The workspace when the user may edit it; 404 for strangers, 403 for members."""
    workspace = workspace_for(user, pk)
    if not can_edit(user, workspace):
        raise PermissionDenied("Only its owner changes a workspace.")
    return workspace
