"""What the pages of a workspace show about it and its repository."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from workspaces import hosts
from workspaces.git import trust
from workspaces.git.repos import locate
from workspaces.hostkit.escapes import visible
from workspaces.models import Workspace


@dataclass(frozen=True)
class ChangedPart:
    """A setting or hook that differs, as text for people; None if there is or was none."""

    name: str
    trusted: str | None
    present: str | None


@dataclass(frozen=True)
class GitSettings:
    """What the repository's git configuration has that the app's git does not use."""

    settings: list[ChangedPart]
    hooks: list[ChangedPart]
    digest: str
    undecided: bool

    @property
    def any(self) -> bool:
        return bool(self.settings or self.hooks)


@dataclass(frozen=True)
class Contents:
    """How much a workspace has."""

    tasks: int
    runs: int
    trains: int
    branches: int
    worktrees: int


def contents_of(workspace: Workspace) -> Contents:
    """Return what would be deleted with the workspace, and what would stay on its host."""
    counted = workspace.tasks.aggregate(
        tasks=Count("pk", distinct=True),
        runs=Count("runs"),
        branches=Count("pk", distinct=True, filter=~Q(branch="")),
        worktrees=Count("pk", distinct=True, filter=~Q(worktree_path="")),
    )
    return Contents(**counted, trains=workspace.trains.count())


def git_changes_of(workspace: Workspace) -> GitSettings:
    """Ask the host for changes of the repository's configuration and hooks. Raises Refused."""
    host = hosts.get(workspace.host.address)
    found = trust.git_changes(host, locate(host, workspace.repo_path).path)
    settings = [
        ChangedPart(visible(each["key"]), _lines(each["trusted"]), _lines(each["present"]))
        for each in found["settings"]
    ]
    hooks = [
        ChangedPart(visible(each["name"]), _shown(each["trusted"]), _shown(each["present"]))
        for each in found["hooks"]
    ]
    return GitSettings(settings, hooks, found["digest"], trust.is_undecided(found))


def _lines(values: list[str]) -> str | None:
    return "\n".join(visible(value) for value in values) if values else None


def _shown(content: str | None) -> str | None:
    return None if content is None else visible(content)
