"""Jobs for the workers. A job may be lost, doubled or late: the row that it works on decides."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django_q.brokers.orm import ORM
from django_q.tasks import async_task

from aitask.lib import doorbell

log = logging.getLogger(__name__)

TOPIC = "jobs"
IDLE_SECONDS = 0.5
"""How long a job waits when its ring was lost, and how long a stop waits for the pusher."""


def enqueue(function: str, *args: Any) -> None:
    """Have a worker call `function` (a dotted path) with `args` (ids, small and picklable) after the commit.

    Never raises when the broker can't be reached: the work is in its row, only the hurry is lost.
    """
    transaction.on_commit(lambda: _send(function, args))


def _send(function: str, args: tuple[Any, ...]) -> None:
    try:
        async_task(function, *args)
    except Exception:
        log.exception("could not enqueue %s%r", function, args)


class DoorbellBroker(ORM):  # type: ignore[misc]
    """django-q's queue in the database: whoever adds a job rings, so that nobody polls for one."""

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
