"""How commands name a workspace."""

from __future__ import annotations

from django.core.management.base import CommandError

from workspaces.models import Workspace


def workspace_named(name: str) -> Workspace | None:
    """Return the workspace NAME, or OWNER/NAME; None if there is none.

    Raises CommandError if several owners have one of this name.
    """
    found = list(Workspace.objects.filter(name=name).select_related("owner"))
    if not found and "/" in name:
        owner, _, rest = name.partition("/")
        found = list(Workspace.objects.filter(owner__username=owner, name=rest))
    if len(found) > 1:
        names = ", ".join(f"{each.owner.get_username()}/{each.name}" for each in found)
        raise CommandError(f"Several workspaces are named {name}. Use one of: {names}.")
    return found[0] if found else None
