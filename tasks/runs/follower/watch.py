"""Follow all runs of one host over one stream."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connection
from django.db.models import F, Q
from django.utils import timezone

from tasks.models import Run
from tasks.runs import endings
from tasks.runs.follower.store import save_events
from workspaces import hosts
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"Seconds between two questions whether the host still answers."
RETRY = 5.0
"Seconds before a host that could not be reached is tried again; the door itself backs off further."
DATABASE_PATIENCE = 1.0
UNREAD_FOR = timedelta(days=1)
"How long the last events of an ended run are still waited for."


class HostWatch(threading.Thread):
    """One host's thread. The database says which runs to follow and from where; it remembers nothing."""

    def __init__(self, host: Host) -> None:
        super().__init__(name=f"watch {host.key}", daemon=True)
        self.host = host
        self.stopping = threading.Event()
        self.look = threading.Event()
        "Set when the set of runs may have changed."
        self._stream: hosts.Stream | None = None
        self._runs: dict[str, int] = {}
        "The followed runs by their folders."
        self._heard = 0.0

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._follow()
            except HostError as error:
                log.info("%s: %s", self.host.key, error)
                self._forget_stream()
                self._note_down(error)
                self.stopping.wait(RETRY)
            except DatabaseError:
                log.exception(
                    "%s: the database did not take it; reading again from the last saved place", self.host.key
                )
                self._forget_stream()
                close_old_connections()
                self.stopping.wait(DATABASE_PATIENCE)
        self._forget_stream()
        connection.close()

    def _follow(self) -> None:
        """Until told to stop or the link breaks: keep the set of runs right and save what comes."""
        self.look.set()
        while not self.stopping.is_set():
            if self.look.is_set():
                self.look.clear()
                self._follow_the_right_runs()
            self._beat()
            if self._stream is None:
                self.look.wait(0.5)
                continue
            item = self._stream.get(timeout=0.1)
            if item is not None:
                self._take(item)

    def _beat(self) -> None:
        """Every HEARTBEAT the host must answer; then all its live runs have been heard of, too."""
        if time.monotonic() - self._heard < HEARTBEAT:
            return
        hosts.get(self._address()).call("stat", {"path": "/"}, timeout=10)
        self._heard = time.monotonic()
        note_up(self.host)
        runs = Run.objects.filter(pk__in=self._runs.values(), state__in=Run.ACTIVE)
        runs.update(last_heard_at=timezone.now())
        self.look.set()

    def _address(self) -> hosts.Address:
        """Read again each time: a person may have accepted a host key meanwhile."""
        self.host.refresh_from_db()
        return self.host.address

    def _follow_the_right_runs(self) -> None:
        wanted = {run.run_dir: run for run in runs_to_follow(self.host)}
        add = {path: run.event_offset for path, run in wanted.items() if path not in self._runs}
        remove = [path for path in self._runs if path not in wanted]
        if self._stream is None:
            if not wanted:
                return
            self._stream = hosts.get(self._address()).stream("tail", {"runs": add})
        elif add or remove:
            self._stream.send("tail_change", {"add": add, "remove": remove})
        for path in remove:
            self._runs.pop(path)
        self._runs.update({path: wanted[path].pk for path in add})

    def _take(self, item: wire.TailItem) -> None:
        path = item["dir"]
        if path not in self._runs:
            return
        run_id = self._runs[path]
        if "lines" in item:
            self._save(path, run_id, item)
        elif "outcome" in item:
            endings.note_outcome(run_id, item["outcome"])
            self.look.set()
        elif "gone" in item:
            self._gone(run_id, item["gone"])
        elif "missing" in item:
            self._missing(run_id)

    def _save(self, path: str, run_id: int, item: wire.TailItem) -> None:
        if save_events(run_id, item["lines"], start=item["start"], end=item["offset"]):
            return
        # Another follower was here, or this was on its way before the last such turn: go on from the row.
        self._following.send("tail_change", {"add": {}, "remove": [path]})
        self._runs.pop(path)
        self.look.set()

    @property
    def _following(self) -> hosts.Stream:
        """The open stream; items come from nowhere else."""
        if self._stream is None:
            raise RuntimeError("an item without a stream")
        return self._stream

    def _gone(self, run_id: int, why: str) -> None:
        """The host itself says that the run is no more and has left no outcome."""
        reason = f"The host says that this run is gone without a word: {why}"
        endings.note_outcome(run_id, {"state": "lost", "reason_code": "lost", "reason": reason})
        self.look.set()

    def _missing(self, run_id: int) -> None:
        """No folder on the host. One that is being prepared is not there yet; else it was removed."""
        run = Run.objects.get(pk=run_id)
        if run.is_live and run.state != Run.State.STARTING:
            self._gone(run_id, f"its folder {run.run_dir} is not there any more.")
        elif not run.is_live:
            Run.objects.filter(pk=run_id).update(final_seq=run.last_seq)

    def _note_down(self, error: HostError) -> None:
        try:
            note_down(self.host, error)
        except DatabaseError:
            log.exception("%s: could not note that the link is lost", self.host.key)

    def _forget_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._heard = None, 0.0
        self._runs.clear()


def runs_to_follow(host: Host) -> list[Run]:
    """Runs that are going on this host, and ended ones of which some last events are still to come."""
    going = Q(state__in=Run.ACTIVE)
    recent = timezone.now() - UNREAD_FOR
    unread = Q(state__in=Run.ENDED, finished_at__gt=recent, final_seq__gt=F("last_seq"))
    runs = Run.objects.exclude(run_dir="").filter(going | unread).select_related("task__workspace")
    return [run for run in runs if run.task.workspace.address.key == host.key]
