"""Wake-ups between processes: writers ring after a commit, and listeners then read rows.

A ring carries topics ("board", "task:7", "workspace:3", "queue") and no data; it may be lost or duplicated.
The topic "*" means that anything may have changed. This package imports no app of the project.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable

from django.db import transaction

from aitask.lib.doorbell.hub import ANYTHING, Doorbell, Subscription

__all__ = ["ANYTHING", "Subscription", "ring", "subscribe", "wait"]

log = logging.getLogger(__name__)
_hub = Doorbell()
_per_thread = threading.local()


def ring(*topics: str) -> None:
    """Wake all subscribers of these topics, in every process, after the transaction has been committed.

    Cheap, and never raises: a lost ring only costs time, but an exception could undo the caller's work.
    """
    try:
        transaction.on_commit(lambda: _hub.ring(topics), robust=True)
    except Exception:
        log.exception("doorbell: could not ring %s", ", ".join(topics))


def subscribe(topics: Iterable[str]) -> Subscription:
    """Listen for topics from now on. Close the subscription after use, or use it in a `with`."""
    return _hub.subscribe(topics)


def wait(topics: Iterable[str], timeout: float) -> frozenset[str]:
    """Return the topics rung since this thread's last call; empty after `timeout` seconds without any."""
    subscription: Subscription | None = getattr(_per_thread, "subscription", None)
    if subscription is None or subscription.closed or not subscription.belongs_to(_hub):
        subscription = _per_thread.subscription = _hub.subscribe(topics)
    subscription.topics = frozenset(topics)
    return subscription.wait_blocking(timeout)


def _forget_parent() -> None:
    """Start with a new doorbell in a forked child, which has no listener thread."""
    global _hub
    _hub = Doorbell()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
