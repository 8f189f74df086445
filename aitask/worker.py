"""The worker: django-q's cluster, which is restarted as a whole when one of its processes is killed.

Its workers share a queue with one lock. A worker that is killed while it holds the lock never releases it,
and the cluster stops taking jobs (django-q2 issue 23). A single process can't be replaced safely. So when a
signal ends any of them, all are killed and a new cluster is started. Jobs may run twice, and are written for
that.
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
from django.db import connections
from django.utils import timezone
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.worker import worker

from aitask.lib import columns, heartbeat

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
STOP_SECONDS = 6.0
STUCK_SECONDS = 10.0
ORPHAN_SECONDS = 3 * WATCH_SECONDS
MAX_DEATHS = 20
DEATHS_SECONDS = 600.0
BACK_OFF_SECONDS = 10.0
BROKEN = 70
"""The sentinel's exit status when one of its processes was killed."""


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


class WatchedSentinel(Sentinel):  # type: ignore[misc]
    """Kills the cluster if its parent has exited or one of its processes was killed."""

    def start(self) -> None:
        # A signal to the process group must not end the process that stops the others in order.
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
            self._kill_all(process)
        super().reincarnate(process)

    def _watch(self) -> None:
        """Check the processes in a thread: the main thread may wait for a lock that a dead process holds."""
        while True:
            time.sleep(WATCH_SECONDS)
            self.stop_event.touch()
            for process in [*self.pool, self.monitor, self.pusher]:
                if process is not None and was_killed(process):
                    self._kill_all(process)

    def _kill_all(self, dead: BaseProcess) -> None:
        if not self.stop_event.is_set():
            log.error("process %s of the worker was killed; restarting all of them", dead.pid)
        for process in self._processes:
            process.kill()
        os._exit(BROKEN)


class Cluster:
    """Keeps one sentinel running until a stop; then ends all processes within seconds."""

    def __init__(self) -> None:
        self._stopping = False
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def run(self) -> None:
        """Block until SIGTERM, SIGINT or `stop`."""
        self._catch_signals()
        while not self._stopping:
            release_held_jobs()
            self._run_once()
            self._back_off()

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stopping = True

    def _run_once(self) -> None:
        """Run one sentinel until it and all its processes have ended."""
        connections.close_all()
        stop, started = Flag(), Flag()
        sentinel = context().Process(target=WatchedSentinel, args=(stop, started, uuid.uuid4(), None, None))
        sentinel.start()
        while sentinel.is_alive() and not self._stopping:
            sentinel.join(WATCH_SECONDS)
            if stop.unseen_seconds < STUCK_SECONDS:
                heartbeat.expect(STUCK_SECONDS)
        stop.set()
        sentinel.join(STOP_SECONDS)
        if sentinel.is_alive():
            log.warning(
                "jobs that were still running after %g s are interrupted; they will run again", STOP_SECONDS
            )
            sentinel.kill()
            sentinel.join()
        if sentinel.exitcode != 0:
            # Its processes notice and exit; a new cluster must not run at the same time.
            time.sleep(ORPHAN_SECONDS)

    def _back_off(self) -> None:
        """Pause if the worker is killed too often, for example by a job that always crashes it."""
        now = time.monotonic()
        self._deaths.append(now)
        if len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_SECONDS and not self._stopping:
            log.error(
                "the worker was killed %d times within ten minutes; pausing before the next start", MAX_DEATHS
            )
            deadline = now + BACK_OFF_SECONDS
            while time.monotonic() < deadline and not self._stopping:
                time.sleep(WATCH_SECONDS)

    def _catch_signals(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self.stop)


def run_watched(target: Callable[..., None], *args: Any) -> None:
    """Run `target` in a process of the cluster."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # django-q terminates slow workers with it
    end_with_parent()
    target(*args)


def end_with_parent() -> None:
    """Exit this process as soon as its parent has exited, whatever it is doing."""
    parent = multiprocessing.parent_process()
    threading.Thread(
        target=_watch_parent, args=[cast(BaseProcess, parent)], name="watch-parent", daemon=True
    ).start()


def _watch_parent(parent: BaseProcess) -> None:
    # Windows keeps reporting the id of a dead parent.
    reports_adoption = os.name != "nt"
    while parent.is_alive() and not (reports_adoption and os.getppid() != parent.pid):
        time.sleep(WATCH_SECONDS)
    os._exit(BROKEN)


def was_killed(process: BaseProcess) -> bool:
    """Return whether a signal ended the process, so that it may hold a lock; an exception releases locks."""
    return process.exitcode is not None and process.exitcode < 0


def release_held_jobs() -> None:
    """Release jobs that an earlier cluster took but did not finish, instead of waiting for `retry`."""
    if settings.REDIS_URL:
        return
    now = timezone.now()
    try:
        OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__gt=now).update(lock=now)
    except columns.OF_DATABASES as error:
        log.warning("could not release the jobs of an earlier worker: %s", error)


def context() -> Any:
    """Return the multiprocessing context: fork where it exists, because it is faster, else spawn."""
    return multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
