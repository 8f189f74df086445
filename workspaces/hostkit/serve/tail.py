"""`tail`: streams the events of several runs, each from its own offset."""

from __future__ import annotations

import select
import time
from typing import Dict, List, Optional

from ..files import InvalidJson, dumps, loads
from ..folder import RunFolder
from ..journal import span_of_lines
from ..wire import Json, TailParams
from .ending import Ender
from .requests import Request
from .waker import Waker
from .watch import FolderWatch

MAX_EVENTS = 512
MAX_BYTES = 1024 * 1024
"""Bytes of events in one item. A longer line is no event: the journal's are much shorter."""
QUOTED = 1000
"""Bytes of a line that is no event which are passed on."""
CHECK_SECONDS = 1.0
"""How often guards are checked, and files are read even without a notification."""
OUTCOME_SECONDS = 8.0
"""How long to wait for an outcome after the guard has died."""
POLL_SECONDS = 0.025
"""How often files are read if there are no notifications."""


def tail(params: TailParams, request: Request) -> Json:
    """Run until the request is cancelled. See TailItem for the items."""
    follower = _Follower(request)
    try:
        follower.change(params.get("runs") or {}, [])
        follower.run()
    finally:
        follower.close()
    return {}


class _Follower:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.watch = FolderWatch()
        self.runs: Dict[str, _Run] = {}
        self._waker = Waker(request)

    def close(self) -> None:
        self.watch.close()
        self._waker.close()

    def change(self, add: Dict[str, int], remove: List[str]) -> None:
        for name in remove:
            run = self.runs.pop(name, None)
            if run:
                run.forget(self.watch)
        for name, offset in add.items():
            if name in self.runs:
                self.runs[name].forget(self.watch)
            self.runs[name] = _Run(name, int(offset))

    def run(self) -> None:
        next_check = 0.0
        touched: Optional[List[_Run]] = None
        while not self.request.cancelled:
            for message in self.request.read_inbox():
                self.change(message.get("add") or {}, message.get("remove") or [])
                touched = None
            check = time.monotonic() >= next_check
            if check:
                next_check = time.monotonic() + CHECK_SECONDS
            for run in list(self.runs.values()) if check or touched is None else touched:
                run.step(self.request, self.watch, check)
            touched = self._wait(next_check - time.monotonic())

    def _wait(self, seconds: float) -> Optional[List["_Run"]]:
        """Wait for changes. Return the runs that have changed; None means all."""
        if not self.watch.works:
            seconds = min(seconds, POLL_SECONDS)
        ready, _, _ = select.select([self._waker.fileno(), *self.watch.handles()], [], [], max(0.0, seconds))
        if self._waker.fileno() in ready:
            self._waker.clear()
            return None
        if not self.watch.works:
            return None
        folders = self.watch.changed()
        return [self.runs[name] for name in folders if name in self.runs]


class _Run:
    """A followed run: how far it has been sent, and the last other item sent about it."""

    def __init__(self, name: str, offset: int) -> None:
        self.name = name
        self.folder = RunFolder(name)
        self.offset = offset
        self.reported = ""
        self.watching = False
        self.dead_since: Optional[float] = None
        self.missing_since: Optional[float] = None
        self._ender: Optional[Ender] = None
        self._searched = 0
        """Up to where the end of a long line was searched for."""

    def forget(self, watch: FolderWatch) -> None:
        watch.remove(self.name)

    def step(self, request: Request, watch: FolderWatch, check: bool) -> None:
        """Send new events and the outcome. With `check`, also check whether folder and guard still exist."""
        if self.reported == "outcome":
            return
        if not self.watching:
            self.watching = watch.add(self.name, self.folder.events)
        finished = self.folder.outcome.exists()
        while not request.cancelled and self._send_lines(request):
            pass
        if finished:
            self._send_outcome(request)
        elif check:
            self._send_absence(request)

    def _send_lines(self, request: Request) -> bool:
        data = self._read()
        lines, used = span_of_lines(data, MAX_EVENTS)
        if lines:
            return self._send(request, [_checked(line) for line in lines], used)
        if len(data) < MAX_BYTES:
            return False
        size = self._size_of_long_line()
        return bool(size) and self._send(request, [_quoted(data, size)], size)

    def _send(self, request: Request, lines: List[bytes], size: int) -> bool:
        head = b'{"dir":' + dumps(self.name) + b',"lines":['
        start, self.offset = self.offset, self.offset + size
        request.item(head + b",".join(lines) + b'],"start":%d,"offset":%d}' % (start, self.offset))
        return True

    def _size_of_long_line(self) -> int:
        """Return the bytes of the line at the offset, with its newline; 0 if it has no end yet."""
        at = max(self._searched, self.offset)
        try:
            with self.folder.events.open("rb") as source:
                source.seek(at)
                for chunk in iter(lambda: source.read(MAX_BYTES), b""):
                    end = chunk.find(b"\n")
                    if end >= 0:
                        return at + end + 1 - self.offset
                    at += len(chunk)
        except OSError:
            return 0
        self._searched = at
        return 0

    def _read(self) -> bytes:
        try:
            with self.folder.events.open("rb") as source:
                source.seek(self.offset)
                return source.read(MAX_BYTES)
        except OSError:
            return b""

    def _send_outcome(self, request: Request) -> None:
        outcome = self.folder.read_outcome()
        if outcome is not None:
            self._report(request, "outcome", outcome)

    def _send_absence(self, request: Request) -> None:
        """Report once that the folder is missing, or that the guard has died without an outcome."""
        if not self.folder.path.is_dir():
            self.watching = False
            if self._is_missing():
                self._report(request, "missing", True)
            return
        self.missing_since = None
        if self._is_dead():
            self._end(request)
        elif self.reported == "missing":
            self.reported = ""

    def _is_missing(self) -> bool:
        """Whether the folder has been gone for so long that no guard will write it again.

        Processes that a guard of an earlier version has left without a folder are ended.
        """
        self.missing_since = self.missing_since or time.monotonic()
        if time.monotonic() - self.missing_since < OUTCOME_SECONDS:
            return False
        if self._ender is None:
            self._ender = Ender(self.folder)
        return not self._ender.is_alive()

    def _end(self, request: Request) -> None:
        """Commit the work of a run whose guard is dead, and write its outcome; on failure report `gone`."""
        if self._ender is None:
            self._ender = Ender(self.folder)
        elif not self._ender.is_alive() and not self.folder.outcome.exists():
            self._report(request, "gone", self._ender.failure or "the run's guard died without an outcome")

    def _is_dead(self) -> bool:
        """Whether the guard died so long ago that its runner will not write an outcome, either."""
        if not self.folder.started or self.folder.guard_pid() is not None:
            self.dead_since = None
            return False
        self.dead_since = self.dead_since or time.monotonic()
        late = time.monotonic() - self.dead_since > OUTCOME_SECONDS
        return late and not self.folder.outcome.exists()

    def _report(self, request: Request, what: str, value: object) -> None:
        if self.reported != what:
            self.reported = what
            request.item(dumps({"dir": self.name, what: value}))


def _checked(line: bytes) -> bytes:
    """Return the line if it is JSON, else wrap it: an invalid line must not break the stream."""
    try:
        loads(line)
    except InvalidJson:
        return _quoted(line, len(line))
    return line


def _quoted(line: bytes, size: int) -> bytes:
    """Return the beginning of a line that is no event as an event without a number."""
    text = line[:QUOTED].decode("utf-8", "surrogateescape")
    return dumps({"kind": "raw", "line": text if size <= QUOTED else "%s… (%d bytes)" % (text, size)})
