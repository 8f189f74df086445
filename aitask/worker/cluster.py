"""A cluster of django-q whose members are threads of one process.

Jobs wait for hosts and the database most of the time, so processes would only cost memory: 20 MB each, and
connections of their own to each host. No thread is ever killed, so none leaves a lock behind (django-q2 issue
23). What needs a kill, like a job that takes too long, ends this process with all its jobs. Whatever runs it,
such as `up`, starts another one, which does them again. So jobs may run twice, and are written for that.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
import uuid
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
from django_q.worker import worker

from aitask.lib import columns, heartbeat
from aitask.worker.standstill import STANDSTILL_SECONDS, Standstill

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
STOP_SECONDS = 6.0
STUCK_SECONDS = 10.0
BROKEN = 70
"""The exit status of a process whose members can't go on."""
INTERRUPTED = f"jobs that were still running after {STOP_SECONDS:g} s are interrupted; they will run again"


class MemberThread(threading.Thread):
    """A worker, the monitor or the pusher, with what the sentinel expects of a process."""

    timer: Any = None

    def __init__(
        self, target: Callable[..., None], args: tuple[Any, ...], give_up: Callable[[str], object]
    ) -> None:
        super().__init__(target=target, args=args, name=f"Thread-{uuid.uuid4().hex}", daemon=True)
        self._give_up = give_up

    @property
    def pid(self) -> int:
        return os.getpid()

    def run(self) -> None:
        try:
            super().run()
        finally:
            connections.close_all()

    def terminate(self) -> None:
        """Called when its job takes too long."""
        self._give_up("a job took too long")


class Queue(queue.Queue[Any]):
    """Has what the sentinel expects of a queue between processes, whose members read it until they stop."""

    def close(self) -> None: ...

    def join_thread(self) -> None: ...


class ThreadSentinel(Sentinel):  # type: ignore[misc]
    """Runs the members until a signal asks it to stop, or until no job is started any more."""

    @classmethod
    def run(cls) -> None:
        """Block until a stop; jobs get some seconds then."""
        release_held_jobs()
        cls(threading.Event(), threading.Event(), uuid.uuid4())

    def start(self) -> None:
        catch_stops(self._stop_soon)  # here, because django-q's constructor has set its own handlers
        self.task_queue, self.result_queue = Queue(Conf.QUEUE_LIMIT), Queue()
        self.event_out = threading.Event()
        self._standstill = Standstill()
        pre_execute.connect(self._standstill.note_start, weak=False)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        super().start()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> MemberThread:
        member = MemberThread(target, args, self.give_up)
        if target is worker:
            member.timer = args[2]
            self.pool.append(member)
        member.start()
        return member

    def give_up(self, why: str) -> NoReturn:
        """End this process at once; whatever runs it starts another one."""
        if not self.stop_event.is_set():
            log.error("%s; restarting the worker", why)
        os._exit(BROKEN)

    def _watch(self) -> None:
        """Look in a thread: the main thread may wait for something that never comes."""
        while True:
            time.sleep(WATCH_SECONDS)
            heartbeat.expect(STUCK_SECONDS)
            busy = any(member.timer.value >= 0 for member in list(self.pool))
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

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_event.set()
        timer = threading.Timer(STOP_SECONDS, self._interrupt)
        timer.daemon = True
        timer.start()

    def _interrupt(self) -> None:
        log.warning(INTERRUPTED)
        os._exit(0)


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
