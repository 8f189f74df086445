"""Guessing passwords is slowed down: by user name, and by address.

axes records the wrong passwords. Nobody is locked out: after many of them, attempts with this name or from
this address wait for each other, each for some seconds. So the right password of a person works, if later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from aitask.lib.clients import network_of

FREE_PER_NAME, FREE_PER_ADDRESS = 10, 30
"""Wrong passwords within AXES_COOLOFF_TIME that cost nothing: people mistype, and share addresses."""
STEP_SECONDS, LONGEST_SECONDS = 0.5, 8.0
"""How much longer each further one takes, and the longest delay."""
MOST_WAITING = 4
"""Attempts with one name or from one address that may wait. Further ones are refused at once."""
HASHING = threading.BoundedSemaphore(4)
"""Limits how many passwords are hashed at once: each takes a third of a second of a processor."""


@dataclass
class Lane:
    """The attempts with one name or from one address, which pass one after another."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


_lanes: dict[str, Lane] = {}
_lanes_lock = threading.Lock()


class TooManyWaiting(Exception):
    """Too many attempts with this name or from this address wait already."""


class GuardedBackend(ModelBackend):
    """Checks passwords as Django does, but slowly after many wrong ones, and only a few at once."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Return the user. For a wrong password, PermissionDenied keeps Django from asking other backends."""
        if request is None or username is None or password is None:
            return None
        name_delay, address_delay = delays(username, network_of(request))
        _let_go_of_database()
        try:
            with (
                _turn(f"address {network_of(request)}", address_delay),
                _turn(f"name {username}", name_delay),
                HASHING,
            ):
                user = super().authenticate(request, username=username, password=password)
        except TooManyWaiting:
            request.axes_locked_out = True  # type: ignore[attr-defined]  # its middleware answers 429
            raise PermissionDenied from None
        if user is None:
            raise PermissionDenied
        return user


def delays(name: str, address: str | None) -> tuple[float, float]:
    """Return how long an attempt with this name and from this address has to wait, in seconds."""
    recent = AccessAttempt.objects.filter(attempt_time__gt=timezone.now() - settings.AXES_COOLOFF_TIME)
    counts = [
        recent.filter(**fields).aggregate(total=Sum("failures_since_start"))["total"] or 0
        for fields in ({"username": name[:255]}, {"ip_address": address})
    ]
    return _delay(counts[0], FREE_PER_NAME), _delay(counts[1], FREE_PER_ADDRESS)


def _delay(failures: int, free: int) -> float:
    return min(LONGEST_SECONDS, max(0, failures - free + 1) * STEP_SECONDS)


@contextmanager
def _turn(key: str, seconds: float) -> Iterator[None]:
    """Wait for the other attempts of the lane, and then for `seconds`. Raises TooManyWaiting."""
    if not seconds:
        yield
        return
    lane = _enter(key)
    try:
        with lane.lock:
            sleep(seconds)
            yield
    finally:
        _leave(key, lane)


def _enter(key: str) -> Lane:
    with _lanes_lock:
        lane = _lanes.setdefault(key, Lane())
        if lane.waiting >= MOST_WAITING:
            raise TooManyWaiting
        lane.waiting += 1
        return lane


def _leave(key: str, lane: Lane) -> None:
    with _lanes_lock:
        lane.waiting -= 1
        if not lane.waiting:
            _lanes.pop(key, None)


def _let_go_of_database() -> None:
    """Return the connection to the pool while this thread waits. (Tests run in a transaction.)"""
    if not connection.in_atomic_block:
        connection.close()
