"""Who may see, change and add workspaces, and decide what runs in them.

Users who may not see a workspace get 404, so that names don't leak.
"""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from aitask.lib.errors import NotAllowed, Refused
from workspaces import permission_modes
from workspaces.hostkit.base.modes import is_wider
from workspaces.models import PermissionMode, Workspace

Visitor = AbstractBaseUser | AnonymousUser
ADD, USE_TERMINAL = "workspaces.add_workspace", "terminal.use_terminal"
NO_ADDING = "You don't have the permission to add workspaces and hosts."
ASK_ADMINISTRATOR = "An administrator can grant it: “Can add workspace”."
ASK_OWNER = "Ask the owner, or an administrator for the permission to use terminals."


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


def may_add(user: Visitor) -> bool:
    """Return whether the user may add workspaces and hosts, and accept host keys.

    Whoever may can run any command as the user that runs the app, and wherever that user can log in.
    """
    return _has(user, ADD)


def may_use_terminals(user: Visitor) -> bool:
    """Return whether the user may use terminals, in the workspaces that they see."""
    return _has(user, USE_TERMINAL)


def check_place(user: Visitor, workspace: Workspace) -> None:
    """Raise NotAllowed if the workspace is new, or is now on another host, and the user may not add hosts."""
    saved = Workspace.objects.filter(pk=workspace.pk).first()
    if (saved is None or saved.address != workspace.address) and not may_add(user):
        raise NotAllowed(NO_ADDING, ASK_ADMINISTRATOR)


def may_decide(user: Visitor, workspace: Workspace) -> bool:
    """Return whether the user may decide what runs in a workspace that they see.

    The owner and superusers may, and members who may use terminals: they have a shell there anyway. Other
    members tell agents what to do, and answer what agents ask, within the workspace's settings.
    """
    return can_edit(user, workspace) or may_use_terminals(user)


def check_decision(user: Visitor, workspace: Workspace, what: str) -> None:
    """Raise NotAllowed unless the user may decide what runs in the workspace. `what` names the action."""
    if not may_decide(user, workspace):
        raise NotAllowed(
            f"Only the owner of a workspace and members who may use terminals can {what}.", ASK_OWNER
        )


def check_mode(user: Visitor | None, workspace: Workspace, mode: str) -> None:
    """Raise NotAllowed for a permission mode above the workspace's, unless the user may decide what runs.

    Raises Refused for one above the most that the workspace allows: nobody can choose that. `user` is None
    for the app itself.
    """
    if user is not None and is_wider(mode, workspace.permission_mode):
        label = PermissionMode(workspace.permission_mode).label
        check_decision(user, workspace, f"give an agent more than “{label}” here")
    if reason := permission_modes.problem(workspace, mode):
        raise Refused(reason, permission_modes.RAISE_IT)


def _has(user: Visitor, permission: str) -> bool:
    has_perm = getattr(user, "has_perm", None)
    return bool(getattr(user, "is_active", False) and has_perm and has_perm(permission))
