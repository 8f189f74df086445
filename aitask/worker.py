"""The worker: django-q's cluster, watched so that no death of a process can stop it or outlive it.

Its workers share a queue guarded by one lock. A worker that is killed while it waits there keeps the lock for
ever, and the cluster takes no job any more (django-q2 issue 23); no process of it can be replaced safely by
itself. So when any of them dies by a signal, all are ended and a whole new cluster is started. Jobs may run
twice; they are made for that.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, cast

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils import timezone
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.worker import worker

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
STOP_SECONDS = 6.0
ORPHAN_SECONDS = 3 * WATCH_SECONDS
MANY_DEATHS = 20
DEATHS_SECONDS = 600.0
CALM_SECONDS = 10.0
BROKEN = 70
"""The sentinel's exit status when one of its processes was killed."""


class Flag:
    """An event across processes without a lock, which a process that is killed could keep."""

    def __init__(self) -> None:
        self._value = multiprocessing.RawValue("b", 0)

    def set(self) -> None:
        self._value.value = 1

    def is_set(self) -> bool:
        return bool(self._value.value)

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, WATCH_SECONDS))
        return self.is_set()


class WatchedSentinel(Sentinel):  # type: ignore[misc]
    """Ends itself, and with it the cluster, when its parent is gone or one of its processes was killed."""

    def start(self) -> None:
        # Whoever stops a whole process group must not end the one that has to stop the others in order.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._processes: list[BaseProcess] = []
        end_with_parent()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        super().start()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        process: Any = context().Process(
            target=run_watched, args=(target, *args), name=f"Process-{uuid.uuid4().hex}", daemon=True
        )
        if target is worker:
            process.timer = args[2]
            self.pool.append(process)
        process.start()
        self._processes = [p for p in self._processes if p.exitcode is None] + [process]
        return cast(BaseProcess, process)

    def reincarnate(self, process: BaseProcess) -> None:
        if was_killed(process):
            self._give_up(process)
        super().reincarnate(process)

    def _watch(self) -> None:
        """The main thread may itself wait for a lock that a dead process holds."""
        while True:
            time.sleep(WATCH_SECONDS)
            for process in [*self.pool, self.monitor, self.pusher]:
                if process is not None and was_killed(process):
                    self._give_up(process)

    def _give_up(self, dead: BaseProcess) -> None:
        if not self.stop_event.is_set():
            log.error("process %s of the worker was killed; starting all of them anew", dead.pid)
        for process in self._processes:
            process.kill()
        os._exit(BROKEN)


class Cluster:
    """Keeps one sentinel going until told to stop; then everything is gone within seconds."""

    def __init__(self) -> None:
        self._stopping = False
        self._deaths: deque[float] = deque(maxlen=MANY_DEATHS)

    def run(self) -> None:
        """Block until SIGTERM, SIGINT or `stop`."""
        self._catch_signals()
        while not self._stopping:
            release_held_jobs()
            self._run_once()
            self._calm_down()

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stopping = True

    def _run_once(self) -> None:
        """From the start of a sentinel to its end, and the end of all it started."""
        connections.close_all()
        stop, started = Flag(), Flag()
        sentinel = context().Process(target=WatchedSentinel, args=(stop, started, uuid.uuid4(), None, None))
        sentinel.start()
        while sentinel.is_alive() and not self._stopping:
            sentinel.join(WATCH_SECONDS)
        stop.set()
        sentinel.join(STOP_SECONDS)
        if sentinel.is_alive():
            log.warning(
                "jobs that were still running after %g s are cut off; they will run again", STOP_SECONDS
            )
            sentinel.kill()
            sentinel.join()
        if sentinel.exitcode != 0:
            # Its processes notice by themselves; a new cluster must not meet them.
            time.sleep(ORPHAN_SECONDS)

    def _calm_down(self) -> None:
        """A job that kills its worker each time must not have us start processes all day."""
        now = time.monotonic()
        self._deaths.append(now)
        if len(self._deaths) == MANY_DEATHS and now - self._deaths[0] < DEATHS_SECONDS and not self._stopping:
            log.error("the worker was killed %d times within ten minutes; waiting a little", MANY_DEATHS)
            deadline = now + CALM_SECONDS
            while time.monotonic() < deadline and not self._stopping:
                time.sleep(WATCH_SECONDS)

    def _catch_signals(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self.stop)


def run_watched(target: Callable[..., None], *args: Any) -> None:
    """What each process of the cluster runs."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # django-q ends a worker that is too slow by it
    end_with_parent()
    target(*args)


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, whatever it is doing."""
    parent = multiprocessing.parent_process()
    threading.Thread(
        target=_watch_parent, args=[cast(BaseProcess, parent)], name="watch-parent", daemon=True
    ).start()


def _watch_parent(parent: BaseProcess) -> None:
    # Windows keeps telling the number of a dead parent.
    adoption_shows = os.name != "nt"
    while parent.is_alive() and not (adoption_shows and os.getppid() != parent.pid):
        time.sleep(WATCH_SECONDS)
    os._exit(BROKEN)


def was_killed(process: BaseProcess) -> bool:
    """Ended by a signal, so that it may have kept a lock; an exception releases what it held."""
    return process.exitcode is not None and process.exitcode < 0


def release_held_jobs() -> None:
    """Give back what an earlier cluster took and did not finish, instead of waiting for `retry` to pass."""
    if settings.REDIS_URL:
        return
    now = timezone.now()
    try:
        OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__gt=now).update(lock=now)
    except DatabaseError as error:
        log.warning("jobs of an earlier worker wait for their retry: %s", error)


def context() -> Any:
    """How processes are made: by fork where the platform has it (it is faster), else what there is."""
    return multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
