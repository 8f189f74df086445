"""Whose port it is, when the program on it has ended and another one may have come."""

from __future__ import annotations

import asyncio

from aitask.lib.preview_hosts import PreviewHost
from tasks.previews.gate import MOST_OPEN, Closing, PreviewGate
from tasks.previews.grants import Allowed
from tasks.previews.places import PortPlace
from workspaces.hostkit.wire import OpenPort
from workspaces.hosts import Address
from workspaces.hosts.ports import PortWatch

PORT: OpenPort = {"port": 5173, "address": "127.0.0.1", "program": "vite"}


class LatePlace(PortPlace):
    """A place whose watch has not yet learned that the task's program has ended."""

    def watch(self) -> PortWatch:
        watch = PortWatch(self.address, self.name, self.owner)
        watch.tell([PORT])
        return watch

    async def look(self) -> list[OpenPort]:
        return []


def test_after_a_refusal_the_host_is_asked_whose_port_it_is() -> None:
    async def found() -> list[list[str]]:
        gate = PreviewGate()
        address = Address("local")
        place = LatePlace("t1", address, (), "/worktree")
        allowed = Allowed(1, 5173, address, "this machine", place)
        before = await gate.addresses(allowed)
        gate.doubt(allowed)
        doubted = await gate.addresses(allowed)
        gate.trust(allowed)
        return [before, doubted, await gate.addresses(allowed)]

    assert asyncio.run(found()) == [["127.0.0.1"], [], ["127.0.0.1"]]


def test_one_browser_can_not_open_any_number_of_requests() -> None:
    async def added() -> list[bool]:
        gate, host = PreviewGate(), PreviewHost("t1", 5173, "t1-5173.preview.localhost")
        many = [Closing(("cookie",), host, lambda: None) for _ in range(MOST_OPEN + 1)]
        first = [gate.add(each) for each in many]
        other = gate.add(Closing(("another",), host, lambda: None))
        gate.remove(many[0])
        return [all(first[:-1]), first[-1], other, gate.add(many[-1])]

    assert asyncio.run(added()) == [True, False, True, True]
