"""The agent's own list of steps."""

from __future__ import annotations

from typing import Literal, TypedDict


class ProgressItem(TypedDict):
    text: str
    state: Literal["pending", "active", "done"]
