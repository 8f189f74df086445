"""The storm: keeps runs going on both hosts while faults happen, then waits for calm."""

from __future__ import annotations

import contextlib
import random
import time
import urllib.error
from dataclasses import dataclass
from typing import Any

from aitask.tests.chaos.faults import FaultMaker
from aitask.tests.chaos.stage import Stage
from aitask.tests.lab.client import ENDED, ApiError
from tasks.tests.e2e.world import BACKENDS

STEPS = 12
SETTLE_SECONDS = 240.0
UNANSWERED = (urllib.error.URLError, OSError, ApiError, AssertionError)


@dataclass
class StartedRun:
    """A run of the storm. `tag` is a word of its prompt only."""

    tag: str
    task: int
    run: int
    far: bool
    cancelled: bool = False
    "Whether a cancel was sent, answered or not."


class Storm:
    """`started` are all runs of the storm: after `settle`, also those whose start got no answer."""

    def __init__(self, stage: Stage, faults: FaultMaker, dice: random.Random, size: int) -> None:
        self.stage = stage
        self.faults = faults
        self.dice = dice
        self.size = size
        self.started: list[StartedRun] = []
        self.unanswered = 0
        self.seconds = 0.0
        self.settled_after = 0.0
        self._ended: set[int] = set()
        self._number = 0

    def rage(self, seconds: float, pause: float) -> None:
        """Make faults for so many seconds, `pause` seconds apart on average, and keep `size` runs going."""
        began = time.monotonic()
        while (past := time.monotonic() - began) < seconds:
            with contextlib.suppress(*UNANSWERED):
                if past < seconds * 0.7:
                    self._keep_going()
                self._cancel_now_and_then()
            self.faults.make()
            time.sleep(self.dice.expovariate(1 / pause))
        self.seconds = time.monotonic() - began

    def settle(self) -> None:
        """End all faults and wait until every run has ended. Raises AssertionError if one does not."""
        began = time.monotonic()
        self.faults.finish()
        api = self.stage.patient
        self._find_unanswered()
        for each in self.started:
            left = SETTLE_SECONDS - (time.monotonic() - began)
            api.wait_for_run(each.run, timeout=max(1.0, left))
        self.settled_after = time.monotonic() - began

    def _find_unanswered(self) -> None:
        """Add the runs whose start got no answer, but has happened nevertheless."""
        known = {each.run for each in self.started}
        for task in self.stage.api.get("/api/tasks"):
            new = [run for run in task["runs"] if run not in known]
            far = task["workspace"] == self.stage.far
            self.started += [StartedRun(task["title"], task["id"], run, far) for run in new]

    def report(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds),
            "faults": self.faults.made.total(),
            "by_kind": dict(self.faults.made.most_common()),
            "runs": len(self.started),
            "cancelled": sum(each.cancelled for each in self.started),
            "starts_without_an_answer": self.unanswered,
            "settled_after": round(self.settled_after, 1),
        }

    def _keep_going(self) -> None:
        """Start one run if there is room. What got no answer may have been started: it is looked up later."""
        live = [each for each in self.started if each.run not in self._ended]
        if len(live) >= self.size:
            each = self.dice.choice(live)
            if self.stage.api.run(each.run)["state"] in ENDED:
                self._ended.add(each.run)
            return
        self._number += 1
        tag, far = f"storm-{self._number:03}", bool(self._number % 2)
        lines = [f"A task of the storm: {tag}"]
        for step in range(1, STEPS + 1):
            wait = self.dice.uniform(0.5, 3.0)
            lines += [f"@text step {step}", f"@bash sleep {wait:.1f}; echo {step} >> steps.txt"]
        backend = BACKENDS[self._number // 2 % 2]
        workspace = self.stage.far if far else self.stage.workspace
        try:
            task = self.stage.api.add_task(workspace, "\n".join(lines), backend, title=tag)
            run = self.stage.api.run_task(task["id"])
        except UNANSWERED:
            self.unanswered += 1
            raise
        self.started.append(StartedRun(tag, task["id"], run["id"], far))

    def _cancel_now_and_then(self) -> None:
        if self.dice.random() > 0.02 or not self.started:
            return
        each = self.dice.choice(self.started)
        if each.run not in self._ended:
            each.cancelled = True
            self.stage.api.post(f"/api/tasks/{each.task}/cancel")
