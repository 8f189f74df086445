"""Merge branches into a main branch that is never at risk. Knows branches and commits, nothing of tasks."""

from __future__ import annotations

from workspaces.merging.attempts import Attempt, Change, MergeResult, Strategy, attempt, foresee
from workspaces.merging.bench import Bench, bench_path, open_bench
from workspaces.merging.checks import Check, CheckLost, CheckResult
from workspaces.merging.conflicts import Conflict
from workspaces.merging.mainline import Blocked, Mainline, MainMoved

__all__ = [
    "Attempt",
    "Bench",
    "Blocked",
    "Change",
    "Check",
    "CheckLost",
    "CheckResult",
    "Conflict",
    "MainMoved",
    "Mainline",
    "MergeResult",
    "Strategy",
    "attempt",
    "bench_path",
    "foresee",
    "open_bench",
]
