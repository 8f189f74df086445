"""The queue of jobs in the database: whoever adds a job rings, so that nobody asks for one all the time."""

from __future__ import annotations

from typing import Any

from django_q.brokers.orm import ORM

from aitask import doorbell

TOPIC = "jobs"
IDLE_SECONDS = 0.5
"""How long a job waits when its ring was lost, and how long a stop waits for the pusher."""


class DoorbellBroker(ORM):  # type: ignore[misc]
    """django-q's own, without its pause of `poll` seconds between two looks."""

    def enqueue(self, task: Any) -> Any:
        pk = super().enqueue(task)
        doorbell.ring(TOPIC)
        return pk

    def dequeue(self) -> Any:
        """Jobs that this worker has taken; None after a wait."""
        taken = super().dequeue()
        if not taken:
            doorbell.wait({TOPIC}, IDLE_SECONDS)
        return taken
