"""Wake-ups between processes: writers ring after commit, listeners then read rows.

A ring carries topics ("board", "task:7", "workspace:3", "queue") and no data; it may be lost or doubled.
The topic "*" means that anything may have changed. Everything may import this package, and it
imports nothing of ours.
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
_of_thread = threading.local()


def ring(*topics: str) -> None:
    """Wake everyone who subscribed to one of the topics, in every process, once the transaction is committed.

    Cheap, and never raises: a lost ring costs time, an exception here would cost the work already done.
    """
    try:
        transaction.on_commit(lambda: _hub.ring(topics), robust=True)
    except Exception:
        log.exception("doorbell: could not ring %s", ", ".join(topics))


def subscribe(topics: Iterable[str]) -> Subscription:
    """Listen for topics from now on; close the subscription, or use it in a `with`, when done."""
    return _hub.subscribe(topics)


def wait(topics: Iterable[str], timeout: float) -> frozenset[str]:
    """What was rung since this thread's last call; empty when nothing was within `timeout` seconds."""
    subscription: Subscription | None = getattr(_of_thread, "subscription", None)
    if subscription is None or subscription.closed or not subscription.belongs_to(_hub):
        subscription = _of_thread.subscription = _hub.subscribe(topics)
    subscription.topics = frozenset(topics)
    return subscription.wait_blocking(timeout)


def _forget_parent() -> None:
    """After a fork the parent's listener thread does not exist here; begin afresh."""
    global _hub
    _hub = Doorbell()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
