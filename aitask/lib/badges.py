"""The badge of a state, the same on every page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Badge:
    """Label, colour and icon of a state. `kind` is works, needs, good, bad, waits, or empty for grey."""

    text: str
    kind: str
    icon: str
    title: str = ""
