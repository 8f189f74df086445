"""What plan runs have proposed."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

from tasks.models import Run, Task
from tasks.rendering import readable


def newest_proposal(task: Task) -> Run | None:
    """Return the newest run of a plan with a proposal; None if there is none."""
    runs = task.runs.filter(kind=Task.Kind.PLAN).order_by("-number")
    return next((run for run in runs if run.proposals), None)


def proposed(run: Run) -> dict[str, Any]:
    """Return a proposal for the plan page: the tasks, and what is said above them."""
    count = len(run.proposals)
    told: list[dict[str, Any]] = [
        {"text": f"{count} task{'' if count == 1 else 's'}. Check them, then create them."}
    ]
    if run.is_live:
        told.append({"text": "The agent is still at work: it may propose others."})
    if notes := run.proposal_notes:
        what = "One thing was" if len(notes) == 1 else f"{len(notes)} things were"
        text = f"{what} wrong in the answer and put right."
        told.append({"text": text, "lines": [readable(note) for note in notes]})
    version = crc32(json.dumps(run.proposals, sort_keys=True).encode())
    return {"run": run.pk, "version": version, "plan": run.task_id, "tasks": run.proposals, "told": told}
