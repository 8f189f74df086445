"""Permission modes: how much an agent may do without asking."""

from __future__ import annotations

from typing import Optional

from ..wire import PERMISSION_MODES

PLAN = "plan"
STRICTEST_AT_WORK = "ask"
"""The strictest mode in which an agent can change something."""


def is_wider(mode: str, other: str) -> bool:
    """Whether `mode` allows more than `other`. Unknown modes count as the widest."""
    return _rank(mode) > _rank(other)


def _rank(mode: str) -> int:
    return list(PERMISSION_MODES).index(mode) if mode in PERMISSION_MODES else len(PERMISSION_MODES)


def narrower(mode: str, other: str) -> str:
    """Return the one that allows less."""
    return other if is_wider(mode, other) else mode


def ceiling_problem(mode: Optional[str], ceiling: Optional[str]) -> str:
    """Return why a user of the pane can't choose this mode, or an empty string."""
    if mode and ceiling and is_wider(mode, ceiling):
        return f"the workspace allows at most the mode {ceiling!r}: its owner can raise that in the settings"
    return ""
