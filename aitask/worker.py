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
from django_q.signals import pre_execute
from django_q.worker import worker

from aitask.lib import columns, heartbeat

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
STOP_SECONDS = 6.0
STUCK_SECONDS = 10.0
ORPHAN_SECONDS = 3 * WATCH_SECONDS
STANDSTILL_SECONDS = 20.0
"""How long jobs may wait while workers are free."""
LOOK_SECONDS = 5.0
"""How often the queue is asked whether jobs wait."""
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
    """Kills the cluster if its parent has exited, one of its processes was killed, or no job is started."""

    def start(self) -> None:
        # A signal to the process group must not end the process that stops the others in order.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ignore_break()
        self._processes: list[BaseProcess] = []
        self._standstill = Standstill()
        end_with_parent()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        super().start()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        process: Any = context().Process(
            target=run_watched,
            args=(self._standstill, target, *args),
            name=f"Process-{uuid.uuid4().hex}",
            daemon=True,
        )
        if target is worker:
            process.timer = args[2]
            self.pool.append(process)
        process.start()
        self._processes = [p for p in self._processes if p.exitcode is None] + [process]
        return cast(BaseProcess, process)

    def reincarnate(self, process: BaseProcess) -> None:
        if was_killed(process):
            self._kill_all(f"process {process.pid} of the worker was killed")
        super().reincarnate(process)

    def _watch(self) -> None:
        """Check the processes in a thread: the main thread may wait for a lock that a dead process holds."""
        while True:
            time.sleep(WATCH_SECONDS)
            self.stop_event.touch()
            for process in [*self.pool, self.monitor, self.pusher]:
                if process is not None and was_killed(process):
                    self._kill_all(f"process {process.pid} of the worker was killed")
            # Without its lock, which a dead process may hold.
            busy = any(process.timer.get_obj().value >= 0 for process in list(self.pool))
            if self._standstill.has_come(time.monotonic(), busy=busy, jobs_wait=self._jobs_wait):
                self._kill_all(f"jobs have waited for {STANDSTILL_SECONDS:g} s although workers are free")

    def _jobs_wait(self) -> bool:
        try:
            return not self.task_queue.empty() or self.broker.queue_size() > 0
        except Exception as error:  # the database or Redis is away, and so no job can be started
            log.warning("could not ask whether jobs wait: %s", error)
            return False
        finally:
            connections.close_all()

    def _kill_all(self, why: str) -> None:
        if not self.stop_event.is_set():
            log.error("%s; restarting all processes of the worker", why)
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


def run_watched(standstill: Standstill, target: Callable[..., None], *args: Any) -> None:
    """Run `target` in a process of the cluster."""
    pre_execute.connect(standstill.note_start, weak=False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # django-q terminates slow workers with it
    ignore_break()
    end_with_parent()
    target(*args)


def ignore_break() -> None:
    """On Windows, leave Ctrl-Break to the parent: it reaches all processes, and would cut jobs off."""
    if hasattr(signal, "SIGBREAK"):
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)


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
    """Return whether a process was ended from outside, so that it may hold a lock: exceptions release locks.

    Windows has no signals: a killed process has whatever exit status its killer chose, but never 0.
    """
    code = process.exitcode
    return code is not None and (code != 0 if os.name == "nt" else code < 0)


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
