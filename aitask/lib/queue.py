"""Jobs for the workers. A job may be lost, duplicated or late: the row that it works on decides."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signals import pre_execute
from django_q.signing import BadSignature, SignedPackage
from django_q.tasks import async_task

from aitask.lib import doorbell

log = logging.getLogger(__name__)

TOPIC = "jobs"
IDLE_SECONDS = 0.5
"""How long a job waits if its ring was lost, and how long a stop waits for the pusher."""
TAKEN_FOR = timedelta(seconds=60)
"""How long a job that was taken from the queue counts as waiting for a free worker."""
LOOK_SECONDS = 1.0
"""How long one look at the queue is used."""

Call = tuple[str, tuple[Any, ...]]
"""The path of a job and its arguments."""


def enqueue(job: Callable[..., object], *args: Any) -> None:
    """Let a worker call `job`, a function of a module, with `args` (small and picklable) after the commit.

    Does not raise if the broker can't be reached: the row says what is due, and a repair enqueues it again.
    """
    path = path_of(job)
    transaction.on_commit(lambda: _send(path, args))


def is_waiting(job: Callable[..., object], *args: Any, fresh: bool = False) -> bool:
    """Return whether this very call waits in the queue. False if the broker can't be reached.

    The queue is read at most once a second, except with `fresh`.
    """
    return (path_of(job), args) in _queue.calls(0.0 if fresh else LOOK_SECONDS)


def path_of(job: Callable[..., object]) -> str:
    return f"{job.__module__}.{job.__qualname__}"


class _Queue:
    """What waits in the queue, as it was at the last look."""

    def __init__(self) -> None:
        self._calls: frozenset[Call] = frozenset()
        self._looked_at = float("-inf")

    def calls(self, max_age: float) -> frozenset[Call]:
        if time.monotonic() - self._looked_at >= max_age:
            self._calls, self._looked_at = self._look(), time.monotonic()
        return self._calls

    def _look(self) -> frozenset[Call]:
        try:
            return frozenset(_calls(get_broker().waiting()))
        except Exception:
            log.exception("could not read the queue")
            return frozenset()


_queue = _Queue()


def _calls(payloads: Iterable[str | bytes]) -> Iterator[Call]:
    for payload in payloads:
        with contextlib.suppress(BadSignature):  # of another installation, or with another key: never run
            job = SignedPackage.loads(payload)
            yield str(job["func"]), tuple(job["args"])


_runs_now: Any = None
"""The queue's id of the job that this worker runs, which does not wait any more."""


@receiver(pre_execute)
def _note_start(task: dict[str, Any], **_: Any) -> None:
    global _runs_now
    _runs_now = task.get("ack_id")


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

    def waiting(self) -> Iterable[str]:
        """Return the jobs that no worker has begun, as far as the queue can tell.

        A taken job stays in the table until it has ended. It may still wait for a busy worker.
        """
        just_taken = timezone.now() + timedelta(seconds=Conf.RETRY) - TAKEN_FOR
        rows = self.get_connection().filter(key=self.list_key).exclude(pk=_runs_now)
        taken_long_ago = {"lock__gt": timezone.now(), "lock__lt": just_taken}
        return list(rows.exclude(**taken_long_ago).values_list("payload", flat=True))

    def dequeue(self) -> Any:
        """Return the jobs that this worker has taken; None after a wait."""
        taken = super().dequeue()
        if not taken:
            doorbell.wait({TOPIC}, IDLE_SECONDS)
        return taken
