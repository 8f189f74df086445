"""Follows all runs of one host over one stream."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import close_old_connections, connection
from django.db.models import F, Q
from django.utils import timezone

from aitask.lib import columns
from tasks.models import Run
from tasks.runs import endings
from tasks.runs.follower.store import Chunk, save_events, save_together, skip_events
from workspaces import hosts
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"Seconds between two checks that the host answers."
RETRY = 5.0
"Seconds before the next attempt to reach a host; the connection itself backs off further."
DATABASE_PATIENCE = 1.0
MOST_LINES = 500
"How many lines are saved in one transaction at most, besides those of its first item. It takes about 0.1 s."
TRIES = 3
"How often an item of a run is tried before it is skipped."
ASIDE = 60.0
"Seconds until a run is followed again of which an item could not even be skipped."
UNREAD_FOR = timedelta(days=1)
"How long to wait for the last events of an ended run."


class HostWatch(threading.Thread):
    """The thread for one host. Which runs to follow, and from where, is read from the database."""

    def __init__(self, host: Host) -> None:
        super().__init__(name=f"watch {host.key}", daemon=True)
        self.host = host
        self.stopping = threading.Event()
        self.runs_changed = threading.Event()
        "Set when the set of runs to follow may have changed."
        self._stream: hosts.Stream | None = None
        self._runs: dict[str, int] = {}
        "The followed runs by their folders."
        self._heard = 0.0
        self._failures: dict[int, int] = {}
        "How often an item of a run has failed, by run."
        self._aside: dict[int, float] = {}
        "Until when a run is not followed (monotonic), after an item of it has failed."

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._follow()
            except HostError as error:
                log.info("%s: %s", self.host.key, error)
                self._close_stream()
                self._note_down(error)
                self.stopping.wait(RETRY)
            except columns.OF_DATABASES:
                log.exception(
                    "%s: the database failed; reading again from the last saved offset", self.host.key
                )
                self._close_stream()
                close_old_connections()
                self.stopping.wait(DATABASE_PATIENCE)
            except Exception:
                log.exception(
                    "%s: following failed; reading again from the last saved offsets", self.host.key
                )
                self._close_stream()
                self.stopping.wait(RETRY)
        self._close_stream()
        connection.close()

    def _follow(self) -> None:
        """Keep the set of followed runs current and save new items, until stopped or the link breaks."""
        self.runs_changed.set()
        while not self.stopping.is_set():
            if self.runs_changed.is_set():
                self.runs_changed.clear()
                self._update_followed_runs()
            self._beat()
            if self._stream is None:
                self.runs_changed.wait(0.5)
                continue
            item = self._stream.get(timeout=0.1)
            if item is not None:
                self._take_all([item, *self._waiting(self._stream)])

    def _waiting(self, stream: hosts.Stream) -> Iterator[wire.TailItem]:
        """Yield the items that have come already, up to a number of lines."""
        lines = 0
        # An error is raised again when the next item is awaited, after these are saved.
        with contextlib.suppress(HostError):
            while lines < MOST_LINES and (item := stream.get(timeout=0)) is not None:
                lines += len(item.get("lines", ()))
                yield item

    def _take_all(self, items: Iterable[wire.TailItem]) -> None:
        """Take items in order. Lines of several runs, and of several items of a run, are saved together."""
        together: dict[str, wire.TailItem] = {}
        for item in items:
            earlier = together.get(item["dir"])
            if "lines" in item and (earlier is None or earlier["offset"] == item["start"]):
                together[item["dir"]] = joined(earlier, item) if earlier else item
                continue
            self._save_together(together)
            together = {}
            self._take(item)
        self._save_together(together)

    def _save_together(self, items: dict[str, wire.TailItem]) -> None:
        """Save lines of several runs in one transaction; if that fails, each by itself."""
        followed = {path: item for path, item in items.items() if path in self._runs}
        chunks = [chunk_of(self._runs[path], item) for path, item in followed.items()]
        stale: set[int] = set()
        try:
            stale = save_together(chunks) if len(chunks) > 1 else {chunk.run_id for chunk in chunks}
        except Exception as error:
            if columns.is_outage(error):
                raise
            log.warning("%s: lines can't be saved together: %s", self.host.key, type(error).__name__)
            stale = {chunk.run_id for chunk in chunks}
        for path, item in followed.items():
            if self._runs.get(path) in stale:
                self._take(item)  # which also finds out whether its offset is outdated
            else:
                self._failures.pop(self._runs[path], None)

    def _beat(self) -> None:
        """Check every HEARTBEAT seconds that the host answers, and note that its live runs were reached."""
        if time.monotonic() - self._heard < HEARTBEAT:
            return
        hosts.get(self._address()).call("stat", {"path": "/"}, timeout=10)
        self._heard = time.monotonic()
        note_up(self.host)
        runs = Run.objects.filter(pk__in=self._runs.values(), state__in=Run.ACTIVE)
        runs.update(last_heard_at=timezone.now())
        self.runs_changed.set()

    def _address(self) -> hosts.Address:
        """Read the address again each time: a user may have accepted a host key."""
        self.host.refresh_from_db()
        return self.host.address

    def _update_followed_runs(self) -> None:
        now = time.monotonic()
        runs = [run for run in runs_to_follow(self.host) if self._aside.get(run.pk, 0.0) <= now]
        wanted = {run.run_dir: run for run in runs}
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
        try:
            self._take_of(run_id, path, item)
            self._failures.pop(run_id, None)
        except Exception as error:
            if isinstance(error, HostError) or columns.is_outage(error):
                raise
            log.exception("%s: an item of run %d failed", self.host.key, run_id)
            self._put_aside(run_id, path, item, error)

    def _take_of(self, run_id: int, path: str, item: wire.TailItem) -> None:
        if "lines" in item:
            self._save(path, run_id, item)
        elif "outcome" in item:
            endings.note_outcome(run_id, item["outcome"])
            self.runs_changed.set()
        elif "gone" in item:
            self._end_as_lost(run_id, item["gone"])
        elif "missing" in item:
            self._missing(run_id)

    def _save(self, path: str, run_id: int, item: wire.TailItem) -> None:
        if save_events(run_id, item["lines"], start=item["start"], end=item["offset"]):
            return
        # Another follower has saved events, or this item is outdated: continue from the row's offset.
        self._leave(path)

    def _leave(self, path: str) -> None:
        """Stop following a run; it is followed again from its row's offset."""
        self._following.send("tail_change", {"add": {}, "remove": [path]})
        self._runs.pop(path)
        self.runs_changed.set()

    def _put_aside(self, run_id: int, path: str, item: wire.TailItem, error: Exception) -> None:
        """Try an item of this run again later, and skip it after some tries. Other runs go on."""
        failures = self._failures[run_id] = self._failures.get(run_id, 0) + 1
        pause = RETRY
        if failures >= TRIES:
            self._failures.pop(run_id)
            pause = 0.0 if self._skipped(run_id, item, error) else ASIDE
        self._aside[run_id] = time.monotonic() + pause
        self._leave(path)

    def _skipped(self, run_id: int, item: wire.TailItem, error: Exception) -> bool:
        """Go on without what the item says, and mark the run. Return whether that was possible."""
        try:
            if "lines" in item:
                why = f"They can't be saved: {type(error).__name__}: {error}"
                skip_events(run_id, len(item["lines"]), start=item["start"], end=item["offset"], why=why)
            elif "outcome" in item:
                endings.note_only_its_state(run_id)
        except Exception:
            log.exception("%s: an item of run %d can't even be skipped", self.host.key, run_id)
            return False
        return True

    @property
    def _following(self) -> hosts.Stream:
        """The open stream. Raises RuntimeError if there is none."""
        if self._stream is None:
            raise RuntimeError("an item without a stream")
        return self._stream

    def _end_as_lost(self, run_id: int, why: str) -> None:
        """End a run that, as its host reports, no longer exists and has no outcome."""
        reason = f"The run ended on its host without an outcome: {why}"
        endings.note_outcome(run_id, {"state": "lost", "reason_code": "lost", "reason": reason})
        self.runs_changed.set()

    def _missing(self, run_id: int) -> None:
        """Handle a missing run folder: it does not exist yet while a run starts, else it was removed."""
        run = Run.objects.get(pk=run_id)
        if run.is_live and run.state != Run.State.STARTING:
            self._end_as_lost(run_id, f"its folder {run.run_dir} no longer exists.")
        elif not run.is_live:
            Run.objects.filter(pk=run_id).update(final_seq=run.last_seq)

    def _note_down(self, error: HostError) -> None:
        try:
            note_down(self.host, error)
        except columns.OF_DATABASES:
            log.exception("%s: could not note that the link is lost", self.host.key)

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._heard = None, 0.0
        self._runs.clear()


def joined(earlier: wire.TailItem, later: wire.TailItem) -> wire.TailItem:
    """Return one item with the lines of two that follow each other."""
    lines = [*earlier["lines"], *later["lines"]]
    return {"dir": earlier["dir"], "lines": lines, "start": earlier["start"], "offset": later["offset"]}


def chunk_of(run_id: int, item: wire.TailItem) -> Chunk:
    return Chunk(run_id, item["lines"], item["start"], item["offset"])


def runs_to_follow(host: Host) -> list[Run]:
    """Return the active runs on this host, and the ended ones whose last events are still missing."""
    active = Q(state__in=Run.ACTIVE) & ~Q(run_dir="")
    runs = Run.objects.filter(active | unread()).select_related("task__workspace")
    return [run for run in runs if run.task.workspace.address.key == host.key]


def unread() -> Q:
    """Return the condition of runs that have ended a while ago at most and whose last events are missing."""
    recent = timezone.now() - UNREAD_FOR
    return Q(state__in=Run.ENDED, finished_at__gt=recent, final_seq__gt=F("last_seq")) & ~Q(run_dir="")
