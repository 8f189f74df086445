"""A state in a word or two, as every page shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Badge:
    """`kind` is the colour: works, needs, good, bad, waits, or none for grey. `title` is shown on hover."""

    text: str
    kind: str
    icon: str
    title: str = ""
