"""Changes of a repository's configuration and hooks, which the app's git uses after a person has agreed.

`repo` is the path of a repository that `repos.locate` has found.
"""

from __future__ import annotations

from aitask.lib.errors import Refused
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError


def git_changes(host: HostConnection, repo: str) -> wire.GitChanges:
    """Return what differs from the trusted configuration and hooks. Raises GitError and HostError."""
    return host.call("git_changes", {"path": repo})


def is_undecided(found: wire.GitChanges) -> bool:
    """Return whether there are changes that nobody has decided about."""
    return bool(found["settings"] or found["hooks"]) and not found["declined"]


def decide(host: HostConnection, repo: str, digest: str, *, use: bool) -> None:
    """Use the changes with this digest from now on, or keep what is trusted. Raises Refused."""
    try:
        host.call("git_decide", {"path": repo, "digest": digest, "use": use})
    except HostError as error:
        if error.code != "exists":
            raise
        raise Refused("The configuration or the hooks have changed again.", "Look at them again.") from error


def require_decided(host: HostConnection, repo: str) -> None:
    """Raise Refused if a merge would run with other settings or hooks than git has in the repository now."""
    found = git_changes(host, repo)
    if is_undecided(found):
        raise Refused(
            f"The git configuration of {repo} has changed: {_names(found)}.",
            "Open Git on the workspace's page and decide whether merges use the changes.",
        )


def _names(found: wire.GitChanges) -> str:
    names = [setting["key"] for setting in found["settings"]]
    names += [f"hook {hook['name']}" for hook in found["hooks"]]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
