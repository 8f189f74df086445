"""What the pages of a workspace show about its repository."""

from __future__ import annotations

from dataclasses import dataclass

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
