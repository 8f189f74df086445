"""What agents are writing at the moment, for the pages that are open in this process.

There is one stream per host, which follows the runs that somebody watches. It opens again after a lost link.
Nothing of it is stored, and neither the database nor the follower takes part. Everything here but `watch` and
`LiveWatch`'s own methods runs on the event loop of the hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from typing import Any

from workspaces.hostkit.base.partial import OpenParts, PartCursor
from workspaces.hostkit.escapes import HIDDEN_IN_PROSE, UNSEEN
from workspaces.hostkit.wire import LiveDetail, LiveItem, LiveMessage, LivePart
from workspaces.hosts import registry, untrusted
from workspaces.hosts.address import Address
from workspaces.hosts.errors import HostError
from workspaces.hosts.hub import on_hub
from workspaces.hosts.watching import WatchedHost, WatchedHosts

log = logging.getLogger(__name__)

CALL_SECONDS = 10.0
MAX_LINE = 200


UNSEEN_ONE = re.compile(f"[{UNSEEN}]")
MOST_CHECKED = 500
"""Unseen characters of a message that are checked for being a part of an emoji, which takes time."""


def shown(text: str) -> str:
    """Return hostile text without the characters that are not seen, or that change how others are seen."""
    unseen = UNSEEN_ONE.findall(text)
    if len(unseen) > MOST_CHECKED:
        return UNSEEN_ONE.sub("", text)
    if not unseen:
        return text
    return UNSEEN_ONE.sub(lambda found: "" if HIDDEN_IN_PROSE.match(text, found.start()) else found[0], text)


class LiveRun:
    """The copy of one run's open parts, and who watches it."""

    def __init__(self) -> None:
        self.parts = OpenParts()
        self.watches: set[LiveWatch] = set()
        self.stale = True
        "Whether the runner is not connected, so that the parts may be out of date."
        self._line = ""

    @property
    def detail(self) -> LiveDetail:
        return "line" if all(watch.only_line for watch in self.watches) else "parts"

    @property
    def line(self) -> str:
        return self._line or self.parts.line

    def take(self, message: LiveMessage) -> None:
        """Take over what the runner tells."""
        self.stale = False
        if "line" in message:
            self._line = shown(message["line"])[:MAX_LINE]
        else:
            self._line = ""
            parts = [_cleaned(part) for part in message.get("parts", [])]
            self.parts.replace(parts, whole=bool(message.get("whole")))
        self.wake()

    def clear(self) -> None:
        """Forget everything: the run has ended, or its runner."""
        self.stale, self._line = False, ""
        self.parts.clear()
        self.wake()

    def mark_stale(self) -> None:
        self.stale = True
        self.wake()

    def wake(self) -> None:
        for watch in self.watches:
            watch.wake()


def _cleaned(part: LivePart) -> LivePart:
    cleaned = part.copy()
    if "text" in part:
        cleaned["text"] = shown(part["text"])
    if "title" in part:
        cleaned["title"] = shown(part["title"])[:500]
    return cleaned


class LiveWatch:
    """What one page wants to know of one run. Made by `watch`; used on the page's own event loop."""

    def __init__(self, address: Address, folder: str, *, only_line: bool) -> None:
        self.address = address
        self.folder = folder
        self.only_line = only_line
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._cursor = PartCursor()
        self._run: LiveRun | None = None

    def wake(self) -> None:
        """Set `changed`, from the loop of the hosts."""
        if asyncio.get_running_loop() is self._loop:
            self.changed.set()
        else:
            with contextlib.suppress(RuntimeError):  # the page's loop has ended
                self._loop.call_soon_threadsafe(self.changed.set)

    async def changes(self) -> tuple[list[LivePart], bool]:
        """Return what has changed since the last call, and whether the link to the run is lost."""
        self.changed.clear()
        return await on_hub(self._changes())

    async def _changes(self) -> tuple[list[LivePart], bool]:
        if self._run is None:
            return [], False
        changes = self._cursor.changes(self._run.parts)
        if changes:
            self.wake()  # there may be more than fits into one message
        return changes, self._run.stale

    async def line(self) -> str:
        """Return the line that is being written now; empty if there is none, or the link is lost."""
        self.changed.clear()
        return await on_hub(self._line())

    async def _line(self) -> str:
        return self._run.line if self._run and not self._run.stale else ""

    def attach(self, run: LiveRun) -> None:
        self._run = run
        self.wake()

    def close(self) -> None:
        _hosts.stop(self)


def watch(address: Address, folder: str, *, only_line: bool = False) -> LiveWatch:
    """Start watching the run with this folder; `close` what is returned."""
    made = LiveWatch(address, folder, only_line=only_line)
    _hosts.start(made)
    return made


class LiveStream(WatchedHost[LiveWatch]):
    """All watched runs of one host."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.runs: dict[str, LiveRun] = {}
        self._told: dict[str, tuple[LiveRun, LiveDetail]] = {}
        "What the open stream follows, and for which copies: a new copy needs everything again."

    @property
    def is_watched(self) -> bool:
        return bool(self.runs)

    def _enter(self, watch: LiveWatch) -> None:
        run = self.runs.setdefault(watch.folder, LiveRun())
        run.watches.add(watch)
        watch.attach(run)
        self._changed.set()

    def remove(self, watch: LiveWatch) -> None:
        run = self.runs.get(watch.folder)
        if run:
            run.watches.discard(watch)
            if not run.watches:
                del self.runs[watch.folder]
            self._changed.set()

    async def _serve(self) -> None:
        """Keep a stream open while there is something to follow."""
        while self.runs:
            try:
                await self._follow()
                self._succeeded()
            except HostError as error:
                log.debug("%s: live: %s", self.address.key, error)
                for run in self.runs.values():
                    run.mark_stale()
                await self._wait_after_failure()

    async def _follow(self) -> None:
        """Open a stream, and tell it of changes until nothing is watched. Raises HostError if it breaks."""
        link = await registry.get(self.address).link()
        ended: asyncio.Future[HostError | None] = asyncio.get_running_loop().create_future()
        self._told = {folder: (run, run.detail) for folder, run in self.runs.items()}
        params: dict[str, Any] = {"runs": {folder: detail for folder, (_, detail) in self._told.items()}}
        number = await link.open_stream("live", params, self._take, lambda error: _end(ended, error))
        ended.add_done_callback(lambda _: self._changed.set())
        try:
            while self.runs or await self._is_watched_again():
                self._changed.clear()
                change = self._change()
                if change and not ended.done():
                    await link.call("live_change", {"live": number, **change}, CALL_SECONDS)
                if ended.done():
                    raise ended.result() or HostError("The stream has ended.", code="stream_ended")
                await self._changed.wait()
        finally:
            link.drop(number)

    def _change(self) -> dict[str, Any]:
        """Return what to tell the stream, so that it follows what is watched; empty if it does."""
        wanted = {folder: (run, run.detail) for folder, run in self.runs.items()}
        add = {folder: new[1] for folder, new in wanted.items() if self._told.get(folder) != new}
        remove = [folder for folder in self._told if folder not in wanted]
        self._told = wanted
        return {"add": add, "remove": remove} if add or remove else {}

    def _take(self, given: object, _size: int) -> None:
        item = untrusted.fit(given, LiveItem)
        run = self.runs.get(item["dir"])
        if run is None:
            return
        if "live" in item:
            run.take(item["live"])
        else:
            run.clear()


def _end(ended: asyncio.Future[HostError | None], error: HostError | None) -> None:
    if not ended.done():
        ended.set_result(error)


_hosts = WatchedHosts(LiveStream)
