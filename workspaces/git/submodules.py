"""Submodules of a worktree, which git's own commands must not enter.

`git status`, `git diff` and `git add` run git in each submodule, with the submodule's own configuration,
which agents can write. Its state is read like that of any other repository instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from workspaces.hosts import HostConnection

SECONDS = 60.0
NO_NESTED = "--ignore-submodules=dirty"
"An option of status and diff: compare only the commits of submodules."


def submodules_of(host: HostConnection, worktree: str, index: str = "") -> list[str]:
    """Return the paths that the index has as commits of other repositories."""
    return host.call("submodules", {"path": worktree, "index": index}, timeout=SECONDS)["names"]


def excluded(paths: Sequence[str]) -> list[str]:
    """Return pathspecs that leave these paths out."""
    return [f":(top,exclude,literal){path}" for path in paths]
