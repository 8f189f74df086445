"""Merge branches into a base branch, which is called main here. Knows branches and commits, but no tasks."""

from __future__ import annotations

from workspaces.merging.attempts import (
    Attempt,
    Change,
    MergeResult,
    Strategy,
    attempt,
    foresee,
    onto_new_base,
)
from workspaces.merging.checks import Check, CheckLost, CheckResult
from workspaces.merging.conflicts import Conflict
from workspaces.merging.mainline import Blocked, Mainline, MainMoved
from workspaces.merging.merge_worktree import MergeWorktree, merge_worktree_path, open_merge_worktree

__all__ = [
    "Attempt",
    "Blocked",
    "Change",
    "Check",
    "CheckLost",
    "CheckResult",
    "Conflict",
    "MainMoved",
    "Mainline",
    "MergeResult",
    "MergeWorktree",
    "Strategy",
    "attempt",
    "foresee",
    "merge_worktree_path",
    "onto_new_base",
    "open_merge_worktree",
]
