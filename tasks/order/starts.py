"""What a task may start from: a branch, a tag or a commit of its repository."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from tasks.repository import site_of
from workspaces.git import GitError
from workspaces.git.repos import base_commit, branches_offered
from workspaces.hosts import HostError
from workspaces.models import Host, Workspace


def check_start(workspace: Workspace, name: str) -> None:
    """Raise ValidationError for a base branch that the repository does not have.

    Nothing is said if that can't be seen now: a run whose base branch is missing does not start.
    """
    name = name.strip()
    if name in ("", workspace.base_branch) or workspace.host.link == Host.Link.DOWN:
        return
    try:
        site = site_of(workspace)
        base_commit(site.host, site.place.path, name)
    except GitError as error:
        if error.code == "no_base":
            raise ValidationError({"base_branch": f"{error.reason} {error.hint}"}) from error
    except HostError:
        return


def offered_starts(workspace: Workspace) -> list[str]:
    """Return the branches that a form offers, the newest first; none if the host does not answer."""
    if workspace.host.link == Host.Link.DOWN:
        return []
    try:
        site = site_of(workspace)
        return branches_offered(site.host, site.place.path)
    except (GitError, HostError):
        return []
