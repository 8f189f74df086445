"""A cluster of threads in one process, for systems without fork, such as Windows.

Spawned processes share no memory: those of one cluster would need 700 MB. No thread is ever killed, so none
leaves a lock behind. What needs a kill elsewhere, like a job that takes too long, ends this process with
all its jobs, and `up` starts it again.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import uuid
from collections.abc import Callable
from types import FrameType
from typing import Any

from django.db import connections
from django_q.conf import Conf
from django_q.worker import worker

from aitask.lib import heartbeat
from aitask.worker.watch import (
    INTERRUPTED,
    STOP_SECONDS,
    STUCK_SECONDS,
    Flag,
    WatchedSentinel,
    catch_stops,
    release_held_jobs,
)

log = logging.getLogger(__name__)


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


class ThreadSentinel(WatchedSentinel):
    """Runs the members until a signal asks it to stop."""

    @classmethod
    def run(cls) -> None:
        """Block until a stop; jobs get some seconds then."""
        release_held_jobs()
        cls(Flag(), Flag(), uuid.uuid4())

    def start(self) -> None:
        catch_stops(self._stop_soon)  # here, because django-q's constructor has set its own handlers
        self.task_queue, self.result_queue = Queue(Conf.QUEUE_LIMIT), Queue()
        super().start()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> MemberThread:
        member = MemberThread(target, args, self.give_up)
        if target is worker:
            member.timer = args[2]
            self.pool.append(member)
        member.start()
        return member

    def look(self) -> None:
        heartbeat.expect(STUCK_SECONDS)
        super().look()

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_event.set()
        timer = threading.Timer(STOP_SECONDS, self._interrupt)
        timer.daemon = True
        timer.start()

    def _interrupt(self) -> None:
        log.warning(INTERRUPTED)
        os._exit(0)
