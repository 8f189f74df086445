"""What the end of a run sets off for reviews. A leaf, so that whoever ends runs may import it."""

from __future__ import annotations

from aitask.lib.queue import enqueue


def run_ended(task_id: int) -> None:
    """Have a worker look at the branch; when the nudge is lost, the follower's repairs find it."""
    enqueue("tasks.review.jobs.run_ended", task_id)
