"""A cluster of forked processes, which is restarted as a whole when one of them is killed.

Its workers share a queue with one lock. A worker that is killed while it holds the lock never releases it,
and the cluster stops taking jobs (django-q2 issue 23). A single process can't be replaced safely. So when a
signal ends any of them, all are killed and a new cluster is started.
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
from typing import Any, NoReturn, cast

from django.db import connections
from django_q.worker import worker

from aitask.lib import heartbeat
from aitask.worker.watch import (
    BROKEN,
    INTERRUPTED,
    STOP_SECONDS,
    STUCK_SECONDS,
    WATCH_SECONDS,
    Flag,
    WatchedSentinel,
    catch_stops,
    release_held_jobs,
)

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 3 * WATCH_SECONDS
MAX_DEATHS = 20
DEATHS_SECONDS = 600.0
BACK_OFF_SECONDS = 10.0


class ProcessSentinel(WatchedSentinel):
    """Kills the cluster also if its parent has exited, or one of its processes was killed."""

    def start(self) -> None:
        # A signal to the process group must not end the process that stops the others in order.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._processes: list[BaseProcess] = []
        end_with_parent()
        super().start()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        process: Any = context().Process(
            target=run_watched,
            args=(target, *args),
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
        self._require_alive(process)
        super().reincarnate(process)

    def look(self) -> None:
        for process in [*self.pool, self.monitor, self.pusher]:
            if process is not None:
                self._require_alive(process)
        super().look()

    def _require_alive(self, process: BaseProcess) -> None:
        if was_killed(process):
            self.give_up(f"process {process.pid} of the worker was killed")

    def give_up(self, why: str) -> NoReturn:
        for process in self._processes:
            process.kill()
        super().give_up(why)


class Cluster:
    """Keeps one sentinel running until a stop; then ends all processes within seconds."""

    def __init__(self) -> None:
        self._stopping = False
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def run(self) -> None:
        """Block until SIGTERM, SIGINT or `stop`."""
        catch_stops(self.stop)
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
        sentinel = context().Process(target=ProcessSentinel, args=(stop, started, uuid.uuid4(), None, None))
        sentinel.start()
        while sentinel.is_alive() and not self._stopping:
            sentinel.join(WATCH_SECONDS)
            if stop.unseen_seconds < STUCK_SECONDS:
                heartbeat.expect(STUCK_SECONDS)
        stop.set()
        sentinel.join(STOP_SECONDS)
        if sentinel.is_alive():
            log.warning(INTERRUPTED)
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
    while parent.is_alive() and os.getppid() == parent.pid:
        time.sleep(WATCH_SECONDS)
    os._exit(BROKEN)


def was_killed(process: BaseProcess) -> bool:
    """Return whether a signal ended a process, so that it may hold a lock: exceptions release locks."""
    return process.exitcode is not None and process.exitcode < 0


def context() -> Any:
    """Return the multiprocessing context. Forked processes start faster than others, and share memory."""
    return multiprocessing.get_context("fork")
