"""Who may pass to a preview: grants as they are now, for each request and as long as a socket is open.

What the database says is kept for a second, so that a page of many modules is not slower, and forgotten at
once when somebody logs out in this process, or a task changes. A port that a task has opened must still be
the task's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from aitask.lib import doorbell
from aitask.lib.preview_hosts import PreviewHost
from aitask.lib.sockets import let_go_of_database
from tasks.models import PreviewGrant
from tasks.previews import grants
from tasks.previews.grants import Allowed
from tasks.previews.places import PortPlace
from workspaces.hosts.ports import PortWatch

KNOWN_SECONDS = 1.0
"""How long the answer of the database is believed."""
RECHECK_SECONDS = 3.0
"""How often open sockets and long answers are checked."""
UNUSED_SECONDS = 20.0
"""How long the ports of a task are watched after the last request."""
MOST_CHECKS = 4
"""Checks by the database at the same time."""
MOST_OPEN = 200
"""Requests and sockets of one grant at the same time."""

Key = tuple[str, tuple[str, ...]]


class Closing:
    """Something that is open for a grant. `close` ends it."""

    def __init__(self, cookies: tuple[str, ...], host: PreviewHost, close: Callable[[], object]) -> None:
        self.cookies = cookies
        self.host = host
        self.close = close


class PreviewGate:
    """The grants that are used in this process, and what is open for them."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[float, Allowed | None]] = {}
        self._checking: dict[Key, asyncio.Task[Allowed | None]] = {}
        self._open: set[Closing] = set()
        self._count: Counter[tuple[str, ...]] = Counter()
        "How many of them are open for the same cookies."
        self._watches: dict[PortPlace, tuple[PortWatch, float]] = {}
        self._doubted: set[tuple[PortPlace, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._few = asyncio.Semaphore(MOST_CHECKS)

    async def allowed(self, cookies: tuple[str, ...], host: PreviewHost) -> Allowed | None:
        """Return what these cookies give access to now."""
        if not cookies:
            return None
        key = (host.name, cookies)
        until, known = self._known.get(key, (0.0, None))
        if until > time.monotonic():
            return known
        # Many requests of one page wait for one answer.
        task = self._checking.get(key)
        if task is None:
            task = self._checking[key] = asyncio.create_task(self._check(key, cookies, host))
        return await asyncio.shield(task)

    async def _check(self, key: Key, cookies: tuple[str, ...], host: PreviewHost) -> Allowed | None:
        began = time.monotonic()
        try:
            async with self._few, ThreadSensitiveContext():
                try:
                    found = await database_sync_to_async(grants.check)(cookies, host)
                finally:
                    await let_go_of_database()
        finally:
            self._checking.pop(key, None)
        if found is None:  # is not kept: it costs nothing to ask again, and names are no secret
            self._known.pop(key, None)
            return None
        self._known[key] = (began + KNOWN_SECONDS, found)
        self._work()
        return found

    async def addresses(self, allowed: Allowed) -> list[str]:
        """Return the loopback addresses to try; none if the port is not the task's now. Raises HostError."""
        if allowed.place is None:
            return ["127.0.0.1", "::1"]
        found = await self._watch(allowed.place).first()
        known = [each["address"] for each in found if each["port"] == allowed.port]
        if known and (allowed.place, allowed.port) in self._doubted:
            found = await allowed.place.look()
            known = [each["address"] for each in found if each["port"] == allowed.port]
        return known

    def doubt(self, allowed: Allowed) -> None:
        """Note that nothing answers. What does next may be another program, of which a watch learns late."""
        if allowed.place:
            self._doubted.add((allowed.place, allowed.port))

    def trust(self, allowed: Allowed) -> None:
        """Note that the task's program answers."""
        if allowed.place:
            self._doubted.discard((allowed.place, allowed.port))

    def _watch(self, place: PortPlace) -> PortWatch:
        watch, _ = self._watches.get(place, (None, 0.0))
        watch = watch or place.watch()
        self._watches[place] = watch, time.monotonic() + UNUSED_SECONDS
        return watch

    def add(self, closing: Closing) -> bool:
        """Close it when the grant ends; False if there are too many for it already."""
        if self._count[closing.cookies] >= MOST_OPEN:
            return False
        self._open.add(closing)
        self._count[closing.cookies] += 1
        return True

    def remove(self, closing: Closing) -> None:
        """Take away what was added: it has ended."""
        self._open.remove(closing)
        self._count[closing.cookies] -= 1
        if not self._count[closing.cookies]:
            del self._count[closing.cookies]

    def forget(self) -> None:
        """Check everything anew. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._forget)

    def _forget(self) -> None:
        self._known.clear()
        self._woken.set()

    def _work(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._recheck())

    async def _recheck(self) -> None:
        """Close what has lost its grant, as long as anything is used."""
        with doorbell.subscribe({"task:*"}) as subscription:
            ringing = asyncio.ensure_future(self._forget_when(subscription))
            try:
                while self._open or self._known or self._watches:
                    self._woken.clear()
                    await self._close_ended()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RECHECK_SECONDS):
                            await self._woken.wait()
            finally:
                ringing.cancel()

    async def _forget_when(self, subscription: Any) -> None:
        while True:
            if await subscription.wait(RECHECK_SECONDS):
                self._forget()

    async def _close_ended(self) -> None:
        now = time.monotonic()
        self._known = {key: known for key, known in self._known.items() if known[0] > now}
        for place, (watch, until) in list(self._watches.items()):
            if until < now:
                watch.close()
                del self._watches[place]
                self._doubted = {each for each in self._doubted if each[0] != place}
        for closing in list(self._open):
            allowed = await self.allowed(closing.cookies, closing.host)
            if allowed is None:
                closing.close()
            elif allowed.place:
                self._watch(allowed.place)


_gates: dict[asyncio.AbstractEventLoop, PreviewGate] = {}


def gate() -> PreviewGate:
    """Return the gate of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _gates:
        _gates.clear()
        _gates[loop] = PreviewGate()
    return _gates[loop]


def _logged_out(request: HttpRequest | None = None, **_: object) -> None:
    """End the session's grants. The session itself is still there at this moment."""
    if request is not None and request.session.session_key:
        PreviewGrant.objects.filter(session_key=request.session.session_key).delete()
    for each in list(_gates.values()):
        each.forget()


user_logged_out.connect(_logged_out, dispatch_uid="previews")
