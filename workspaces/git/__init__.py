"""git on a host: reading repositories, and worktrees for tasks."""

from __future__ import annotations

from workspaces.git.commands import GitError, expand, git
from workspaces.git.repos import DiffStat, Repo, Status, base_commit, diff_stat, inspect_repo, status
from workspaces.git.worktrees import Known, Worktree, add_worktree, adopt_worktree, default_root

__all__ = [
    "DiffStat",
    "GitError",
    "Known",
    "Repo",
    "Status",
    "Worktree",
    "add_worktree",
    "adopt_worktree",
    "base_commit",
    "default_root",
    "diff_stat",
    "expand",
    "git",
    "inspect_repo",
    "status",
]
