"""What both kinds of worker share: a stop flag, the search for a standstill, and the sentinel that looks."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import pre_execute

from aitask.lib import columns

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
STOP_SECONDS = 6.0
STUCK_SECONDS = 10.0
STANDSTILL_SECONDS = 20.0
"""How long jobs may wait while workers are free."""
LOOK_SECONDS = 5.0
"""How often the queue is asked whether jobs wait."""
BROKEN = 70
"""The exit status of a sentinel that ended because its members can't go on."""
INTERRUPTED = f"jobs that were still running after {STOP_SECONDS:g} s are interrupted; they will run again"


class Flag:
    """An event across processes without a lock, which a killed process could keep.

    It also tells when the process that watches it was last alive.
    """

    def __init__(self) -> None:
        self._value = multiprocessing.RawValue("b", 0)
        self._seen = multiprocessing.RawValue("d", time.monotonic())

    def touch(self) -> None:
        self._seen.value = time.monotonic()

    @property
    def unseen_seconds(self) -> float:
        return time.monotonic() - float(self._seen.value)

    def set(self) -> None:
        self._value.value = 1

    def is_set(self) -> bool:
        return bool(self._value.value)

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.is_set() and (remaining := deadline - time.monotonic()) > 0:
            time.sleep(min(remaining, WATCH_SECONDS))
        return self.is_set()


class Standstill:
    """Notices that jobs wait although workers are free, because something holds a lock of the queue."""

    def __init__(self) -> None:
        self._started = multiprocessing.RawValue("d", 0)
        self._since: float | None = None
        self._next_look = 0.0

    def note_start(self, **_: Any) -> None:
        """Note in a worker that it starts a job."""
        self._started.value = time.monotonic()

    def has_come(self, now: float, *, busy: bool, jobs_wait: Callable[[], bool]) -> bool:
        """Return whether jobs have waited too long. `busy` is whether any worker has a job."""
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        if busy or not jobs_wait():
            self._since = None
            return False
        self._since = now if self._since is None else max(self._since, float(self._started.value))
        return now - self._since > STANDSTILL_SECONDS


class WatchedSentinel(Sentinel):  # type: ignore[misc]
    """Django-q's sentinel, with a thread that ends this process if no job is started any more."""

    def start(self) -> None:
        self._standstill = Standstill()
        pre_execute.connect(self._standstill.note_start, weak=False)  # also in members that are forked later
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        super().start()

    def _watch(self) -> None:
        """Look in a thread: the main thread may wait for a lock that nothing releases."""
        while True:
            time.sleep(WATCH_SECONDS)
            self.stop_event.touch()
            self.look()

    def look(self) -> None:
        """Called several times a second; ends everything if the members can't go on."""
        # Without its lock, which a dead process may hold.
        busy = any(member.timer.get_obj().value >= 0 for member in list(self.pool))
        if self._standstill.has_come(time.monotonic(), busy=busy, jobs_wait=self._jobs_wait):
            self.give_up(f"jobs have waited for {STANDSTILL_SECONDS:g} s although workers are free")

    def _jobs_wait(self) -> bool:
        try:
            return not self.task_queue.empty() or self.broker.queue_size() > 0
        except Exception as error:  # the database or Redis is away, and so no job can be started
            log.warning("could not ask whether jobs wait: %s", error)
            return False
        finally:
            connections.close_all()

    def give_up(self, why: str) -> NoReturn:
        """End this process at once; whatever runs it starts another one."""
        if not self.stop_event.is_set():
            log.error("%s; restarting the whole worker", why)
        os._exit(BROKEN)


def release_held_jobs() -> None:
    """Release jobs that an earlier worker took but did not finish, instead of waiting for `retry`."""
    if settings.REDIS_URL:
        return
    now = timezone.now()
    try:
        OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__gt=now).update(lock=now)
    except columns.OF_DATABASES as error:
        log.warning("could not release the jobs of an earlier worker: %s", error)


def catch_stops(stop: Callable[[int, FrameType | None], None]) -> None:
    """Call `stop` for each signal that asks this process to stop."""
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
