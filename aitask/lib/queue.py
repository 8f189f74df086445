"""Jobs for the workers. A job may be lost, duplicated or late: the row that it works on decides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django_q.brokers.orm import ORM
from django_q.tasks import async_task

from aitask.lib import doorbell

log = logging.getLogger(__name__)

TOPIC = "jobs"
IDLE_SECONDS = 0.5
"""How long a job waits if its ring was lost, and how long a stop waits for the pusher."""


def enqueue(job: Callable[..., object], *args: Any) -> None:
    """Let a worker call `job`, a function of a module, with `args` (small and picklable) after the commit.

    Does not raise if the broker can't be reached: the row says what is due, and a repair enqueues it again.
    """
    path = f"{job.__module__}.{job.__qualname__}"
    transaction.on_commit(lambda: _send(path, args))


def _send(path: str, args: tuple[Any, ...]) -> None:
    try:
        async_task(path, *args)
    except Exception:
        log.exception("could not enqueue %s%r", path, args)


class DoorbellBroker(ORM):  # type: ignore[misc]
    """django-q's queue in the database. Adding a job rings the doorbell, so that workers need not poll."""

    def enqueue(self, task: Any) -> Any:
        pk = super().enqueue(task)
        doorbell.ring(TOPIC)
        return pk

    def dequeue(self) -> Any:
        """Return the jobs that this worker has taken; None after a wait."""
        taken = super().dequeue()
        if not taken:
            doorbell.wait({TOPIC}, IDLE_SECONDS)
        return taken
