"""The listening ports of the tasks that somebody looks at, in this process.

One request per host waits for a change of what is watched. Nothing of it is stored. Everything here but
`watch` and `PortWatch`'s own methods runs on the event loop of the hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from workspaces.hostkit.wire import OpenPort, OpenPorts, PortOwner
from workspaces.hosts import registry, untrusted
from workspaces.hosts.address import Address
from workspaces.hosts.errors import HostError
from workspaces.hosts.live import shown
from workspaces.hosts.watching import WatchedHost, WatchedHosts

log = logging.getLogger(__name__)

WAIT_SECONDS = 25.0
"""How long the host may wait for a change before it answers."""


def cleaned(given: object) -> OpenPorts:
    """Return the answer of a host. An agent chooses the names of its programs."""
    answer = untrusted.fit(given, OpenPorts)
    for found in answer["tasks"].values():
        for each in found:
            each["program"] = " ".join(shown(each["program"]).split())[:40]
    return answer


class PortWatch:
    """What one page or preview wants to know of one task. Made by `watch`; used on its own event loop."""

    def __init__(self, address: Address, name: str, owner: PortOwner) -> None:
        self.address = address
        self.name = name
        self.owner = owner
        self.changed = asyncio.Event()
        self._known = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ports: list[OpenPort] | None = None
        self._error: HostError | None = None

    def tell(self, ports: list[OpenPort] | None, error: HostError | None = None) -> None:
        """Take an answer, from the loop of the hosts. None means that the ports are not known."""
        if asyncio.get_running_loop() is self._loop:
            self._take(ports, error)
        else:
            with contextlib.suppress(RuntimeError):  # the page's loop has ended
                self._loop.call_soon_threadsafe(self._take, ports, error)

    def _take(self, ports: list[OpenPort] | None, error: HostError | None) -> None:
        if not self._known.is_set() or ports != self._ports:
            self.changed.set()
        self._ports, self._error = ports, error
        self._known.set()

    @property
    def ports(self) -> list[OpenPort] | None:
        """The ports as far as they are known; None if the host can't be asked."""
        return self._ports

    async def first(self) -> list[OpenPort]:
        """Return the ports; wait for the first answer. Raises HostError if the host can't be asked."""
        await self._known.wait()
        if self._ports is None:
            raise self._error or HostError("The ports are not known.", code="link_lost", retryable=True)
        return self._ports

    def close(self) -> None:
        _hosts.stop(self)


def watch(address: Address, name: str, owner: PortOwner) -> PortWatch:
    """Start watching the ports of a task; `close` what is returned."""
    made = PortWatch(address, name, owner)
    _hosts.start(made)
    return made


class PortStream(WatchedHost[PortWatch]):
    """All watched tasks of one host."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._watches: dict[str, set[PortWatch]] = {}
        self._owners: dict[str, PortOwner] = {}
        self._answer: OpenPorts | None = None
        self._error: HostError | None = None

    @property
    def is_watched(self) -> bool:
        return bool(self._watches)

    def _enter(self, watch: PortWatch) -> None:
        self._watches.setdefault(watch.name, set()).add(watch)
        if self._owners.get(watch.name) != watch.owner:
            self._owners[watch.name] = watch.owner
            self._changed.set()
        elif self._answer or self._error:
            self._tell(watch)

    def remove(self, watch: PortWatch) -> None:
        watches = self._watches.get(watch.name, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(watch.name, None)
            self._changed.set()

    def _tell(self, watch: PortWatch) -> None:
        if self._error or self._answer is None:
            watch.tell(None, self._error)
        elif watch.name in self._answer["tasks"] or not self._answer["supported"]:
            watch.tell(self._answer["tasks"].get(watch.name, []))

    async def _serve(self) -> None:
        """Keep asking while somebody watches."""
        while self._watches or await self._is_watched_again():
            self._owners = {name: owner for name, owner in self._owners.items() if name in self._watches}
            self._changed.clear()
            try:
                self._answer, self._error = await self._ask() or self._answer, None
                self._succeeded()
            except HostError as error:
                log.debug("%s: ports: %s", self.address.key, error)
                self._answer, self._error = None, error
            for each in [watch for watches in self._watches.values() for watch in watches]:
                self._tell(each)
            if self._error:
                await self._wait_after_failure()
        self._answer = self._error = None
        self._owners = {}

    async def _ask(self) -> OpenPorts | None:
        """Return the next answer; None if others are watched meanwhile. Raises HostError."""
        link = await registry.get(self.address).link()
        known = self._answer["digest"] if self._answer else ""
        params: dict[str, Any] = {"tasks": self._owners, "known": known, "wait": WAIT_SECONDS}
        call = asyncio.ensure_future(link.call("ports", params, WAIT_SECONDS + 15))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait([call, changed], return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                return None
            answer = cleaned(call.result())
            if not answer["supported"]:  # it has answered at once, and will again
                await asyncio.wait([changed], timeout=WAIT_SECONDS)
            return answer
        finally:
            changed.cancel()
            call.cancel()


_hosts = WatchedHosts(PortStream)
