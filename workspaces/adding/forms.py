"""The form for a new workspace, which looks at the host and the repository while it is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.urls import reverse_lazy

from workspaces import ssh_aliases
from workspaces.forms import CODE, WorkspaceForm
from workspaces.hosts import local
from workspaces.models import Workspace

LOCAL, OTHER, ALIAS = "local", "other", "ssh:"
"""Values of `place`, the choice of a host: this machine, one to be typed, or the start of an alias."""
LOOK = {
    "hx-post": reverse_lazy("adding_repository"),
    "hx-trigger": "change",
    "hx-target": "#offer",
    "hx-indicator": "#looking",
    "hx-sync": "this:replace",
}
TYPED_HOST = {**CODE, "data-connects": "typed"}


def with_host(data: QueryDict) -> QueryDict:
    """Return form data with the host that `place` names; unchanged without it."""
    place = data.get("place", "")
    if not place:
        return data
    data = data.copy()
    data["kind"] = Workspace.Kind.LOCAL if place == LOCAL else Workspace.Kind.SSH
    if place.startswith(ALIAS):
        data["ssh_host"], data["ssh_user"] = place.removeprefix(ALIAS), ""
    return data


class NewWorkspaceForm(WorkspaceForm):
    """Fields of a new workspace; the choice of the host is `place`."""

    def __init__(self, data: QueryDict | None = None, **kwargs: Any) -> None:
        super().__init__(with_host(data) if data is not None else None, **kwargs)
        self.fields["repo_path"].widget.attrs.update(LOOK)
        for name in ("ssh_host", "ssh_user"):
            self.fields[name].widget = type(self.fields[name].widget)(attrs=TYPED_HOST)

    @property
    def place(self) -> str:
        """The chosen host; this machine if there is no other, else none before the user has chosen."""
        given: Mapping[str, Any] = self.data
        if self.is_bound:
            typed = OTHER if given.get("kind") == Workspace.Kind.SSH else LOCAL
            return str(given.get("place") or typed)
        return LOCAL if local.supported() and not self.aliases else ""

    @property
    def aliases(self) -> list[str]:
        return ssh_aliases.aliases()

    @property
    def offers_local(self) -> bool:
        return local.supported()
