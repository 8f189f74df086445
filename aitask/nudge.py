"""Jobs for the workers. A nudge may be lost, doubled or late: the row decides."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django_q.tasks import async_task

log = logging.getLogger(__name__)


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
