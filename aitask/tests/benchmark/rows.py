"""A figure of the benchmark, with what it is measured against."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import Any


def load() -> float:
    """Processes that wait for a core, averaged over the last minute."""
    return round(os.getloadavg()[0], 1)


@dataclass(frozen=True)
class Row:
    """A figure in `unit`s. `floor` is what nothing could be below, such as the server's cheapest answer.

    `most` is the goal: a bound of the ratio to the floor if there is one, else of the figure.
    """

    part: str
    what: str
    figure: float
    unit: str
    floor: float | None = None
    most: float | None = None
    at_least: float | None = None
    load: float = field(default_factory=load)

    @property
    def ratio(self) -> float | None:
        return self.figure / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None if the row has none."""
        measured = self.figure if self.ratio is None else self.ratio
        if self.most is not None:
            return measured <= self.most
        return None if self.at_least is None else measured >= self.at_least

    @property
    def goal(self) -> str:
        bound = f"≤ {self.most:g}" if self.most is not None else ""
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else bound
        return f"{bound} ×" if bound and self.floor else bound

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "is_met": self.is_met}


HEAD = f"{'':44} {'figure':>12} {'floor':>9} {'ratio':>7} {'goal':>9} {'':4} {'load':>5} {'before':>9}"
"The head of the table that the lines of rows make."


def line(row: Row, before: float | None = None) -> str:
    """Return the row as text, with its figure of an earlier run if there is one."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    floor = "" if row.floor is None else f"{row.floor:.2f}"
    verdict = {True: "met", False: "MISS", None: ""}[row.is_met]
    figures = f"{row.figure:>8.2f} {row.unit:3} {floor:>9} {ratio:>7} {row.goal:>9} {verdict:4}"
    was = "" if before is None else f"{before:.2f}"
    return f"{row.part + ': ' + row.what:44} {figures} {row.load:>5} {was:>9}"
