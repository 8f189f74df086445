"""Requests, streams and their ends over a pipe of any kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from workspaces.hostkit.wire import Hello, Json
from workspaces.hosts import HostError
from workspaces.hosts.link import MAX_LINE, Keepalive, Lines, Link, parse_hello

HELLO = b'{"hello": {"protocol": 1}}\n'


class Peer:
    """The other end of a pipe, played by the test."""

    descriptors: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.requests: asyncio.Queue[Json] = asyncio.Queue()
        self.closed = False

    async def read(self) -> bytes:
        return await self.chunks.get()

    async def write(self, data: bytes) -> None:
        if self.closed:
            raise BrokenPipeError("gone")
        self.requests.put_nowait(json.loads(data))

    async def close(self) -> None:
        self.closed = True

    async def exit_reason(self) -> str:
        return "its last words"

    def say(self, **message: Any) -> None:
        self.chunks.put_nowait(json.dumps(message).encode() + b"\n")

    def end(self) -> None:
        self.chunks.put_nowait(b"")


def make_link(peer: Peer, keepalive: Keepalive | None = None) -> Link:
    return Link(peer, cast(Hello, {}), lines=Lines(peer), name="cloud", keepalive=keepalive or Keepalive())


def run(scene: Callable[[Peer, Link], Awaitable[None]], keepalive: Keepalive | None = None) -> None:
    """Play a scene on a loop of its own."""

    async def play() -> None:
        peer = Peer()
        link = make_link(peer, keepalive)
        await asyncio.wait_for(scene(peer, link), 10)
        await link.close()

    asyncio.run(play())


def test_answers_find_their_requests_in_any_order() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        first = asyncio.create_task(link.call("a", {}, 5))
        second = asyncio.create_task(link.call("b", {}, 5))
        asked = [await peer.requests.get(), await peer.requests.get()]
        peer.say(id=asked[1]["id"], ok="of b")
        peer.say(id=asked[0]["id"], ok="of a")
        assert (await first, await second) == ("of a", "of b")

    run(scene)


def test_what_the_host_reports_is_a_host_error_with_its_kind() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("read", {}, 5))
        peer.say(id=(await peer.requests.get())["id"], error={"kind": "permission", "message": "not yours"})
        with pytest.raises(HostError, match="not yours") as caught:
            await call
        assert caught.value.code == "permission"

    run(scene)


def test_a_lost_link_ends_every_waiting_call() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        calls = [asyncio.create_task(link.call("a", {}, 5)) for _ in range(3)]
        await peer.requests.get()
        peer.end()
        for call in calls:
            with pytest.raises(HostError, match="its last words") as caught:
                await call
            assert (caught.value.code, caught.value.retryable) == ("link_lost", True)

    run(scene)


def test_a_call_on_a_lost_link_fails_at_once() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        await link.close()
        with pytest.raises(HostError) as caught:
            await link.call("a", {}, 5)
        assert caught.value.code == "link_lost"

    run(scene)


def test_a_call_that_takes_too_long_is_cancelled_on_the_host() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        with pytest.raises(HostError) as caught:
            await link.call("exec", {}, 0.05)
        assert caught.value.code == "timeout"
        asked = await peer.requests.get()
        assert await peer.requests.get() == {"id": asked["id"], "cancel": True}

    run(scene)


def test_a_silent_link_is_asked_for_a_sign_of_life_and_then_given_up() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        assert (await peer.requests.get())["verb"] == "stat"
        with pytest.raises(HostError, match="no data for"):
            await link.call("exec", {}, 5)

    run(scene, Keepalive(interval=0.1, misses=3))


def test_a_link_that_answers_is_kept() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        for _ in range(5):
            peer.say(id=(await peer.requests.get())["id"], ok={})
        assert link.lost is None

    run(scene, Keepalive(interval=0.1, misses=2))


def test_items_of_a_stream_come_before_its_end() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        seen: list[Any] = []
        ended = asyncio.Event()
        number = await link.open_stream("tail", {}, lambda item, _: seen.append(item), lambda _: ended.set())
        for item in (1, 2):
            peer.say(id=number, item=item)
        peer.say(id=number, ok={})
        await ended.wait()
        assert seen == [1, 2]

    run(scene)


def test_lines_that_are_no_answers_are_ignored() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("a", {}, 5))
        number = (await peer.requests.get())["id"]
        peer.chunks.put_nowait(b"noise\n[1]\n{}\n")
        peer.say(id=number, ok="heard")
        assert await call == "heard"

    run(scene)


def test_a_line_may_come_in_any_pieces() -> None:
    async def play() -> None:
        peer = Peer()
        for byte in b"one\ntwo\n":
            peer.chunks.put_nowait(bytes([byte]))
        peer.end()
        lines = Lines(peer)
        assert [await lines.next() for _ in range(3)] == [b"one", b"two", None]

    asyncio.run(play())


def test_noise_before_the_greeting_is_skipped() -> None:
    async def play() -> None:
        peer = Peer()
        peer.chunks.put_nowait(b'Welcome!\n{"not": "hello"}\n"hello"\n' + HELLO)
        hello = await Lines(peer).skip_noise(parse_hello)
        assert hello is not None
        assert hello["protocol"] == 1

    asyncio.run(play())


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"\0\xff", b'{"id":[]}', b'{"id":1,"ok":' + b"9" * 5000 + b"}", b"5"]
)
def test_a_line_that_is_no_message_does_not_end_the_link(line: bytes) -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("a", {}, 5))
        asked = await peer.requests.get()
        peer.chunks.put_nowait(line + b"\n")
        peer.say(id=asked["id"], ok="still here")
        assert await call == "still here"

    run(scene)


def test_an_error_without_its_fields_is_an_error_of_its_call_only() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("a", {}, 5))
        peer.say(id=(await peer.requests.get())["id"], error=["what?"])
        with pytest.raises(HostError, match="can't be read"):
            await call
        assert link.lost is None

    run(scene)


def test_a_host_that_prints_without_a_lines_end_is_left() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("a", {}, 5))
        for _ in range(MAX_LINE // (1 << 18) + 2):
            peer.chunks.put_nowait(b"x" * (1 << 18))
        with pytest.raises(HostError, match="without a line's end"):
            await call
        assert len(link._lines._buffer) == 0

    run(scene)


def test_a_shell_that_prints_without_a_lines_end_is_no_hostkit() -> None:
    async def play() -> None:
        peer = Peer()
        for _ in range(10):
            peer.chunks.put_nowait(b"x" * (1 << 18))
        assert await Lines(peer).skip_noise(parse_hello) is None
        assert peer.chunks.qsize() >= 4

    asyncio.run(asyncio.wait_for(play(), 10))


def test_an_answer_in_parts_is_one_answer() -> None:
    async def scene(peer: Peer, link: Link) -> None:
        call = asyncio.create_task(link.call("a", {}, 5))
        number = (await peer.requests.get())["id"]
        whole = json.dumps({"id": number, "ok": {"data": 'quoted "text" \\ \udcff'}})
        peer.say(id=number, part=whole[:20], more=True)
        peer.say(id=number, part=whole[20:], more=False)
        assert await call == {"data": 'quoted "text" \\ \udcff'}

    run(scene)
