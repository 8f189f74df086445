"""What agents are writing, as the pages of one process get it: shared streams, lost links, hostile text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from workspaces import hosts
from workspaces.hostkit.base.partial import KEPT, OpenParts
from workspaces.hostkit.control_address import reachable
from workspaces.hosts import live
from workspaces.hosts.hub import on_hub
from workspaces.hosts.live import LiveWatch, shown

pytestmark = pytest.mark.server
LOCAL = hosts.Address("local")
Json = dict[str, Any]


class FakeRunner:
    """A control socket that says what the test wants. `asked` has the commands of its clients."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.asked: list[Json] = []
        self.links: queue.Queue[socket.socket] = queue.Queue()
        (folder / "control").unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable(folder / "control") as address:
            self.listener.bind(address)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                link, _ = self.listener.accept()
                self.asked.append(json.loads(link.recv(10_000)))
                self.links.put(link)
        except OSError:
            return

    def client(self) -> socket.socket:
        return self.links.get(timeout=20)

    def close(self) -> None:
        self.listener.close()


def say(link: socket.socket, *parts: Json, **message: Any) -> None:
    link.sendall(json.dumps({"parts": list(parts), **message}).encode() + b"\n")


def text(words: str, **more: Any) -> Json:
    return {"id": "a", "kind": "text", "text": words, **more}


class Page:
    """What a page makes of what it is told."""

    def __init__(self, watched: LiveWatch) -> None:
        self.watched = watched
        self.parts = OpenParts()
        self.stale = False

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self.watched.changed.wait()
                changes, self.stale = await self.watched.changes()
                self.parts.replace(changes, whole=False)

    async def until_text(self, words: str) -> None:
        await self.until(lambda: words in [part.text for part in self.parts.parts.values()])


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene on a loop of its own, which is not that of the hosts."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await scene()

    asyncio.run(limited())


async def until_line(board: LiveWatch, line: str) -> None:
    async with asyncio.timeout(20):
        while await board.line() != line:
            await board.changed.wait()


async def quietly(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


@pytest.fixture
def runner(tmp_path: Path, local: hosts.HostConnection) -> FakeRunner:
    return FakeRunner(tmp_path / "run")


def test_all_pages_of_a_process_share_one_connection(runner: FakeRunner) -> None:
    async def scene() -> None:
        first = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("one "), whole=True)
        await first.until_text("one ")
        second = Page(live.watch(LOCAL, str(runner.folder)))
        await second.until_text("one ")
        say(link, text("two", more=True))
        await first.until_text("one two")
        await second.until_text("one two")
        assert runner.asked == [{"command": "live", "detail": "parts"}]
        first.watched.close()
        second.watched.close()

    play(scene)


def test_nobody_is_followed_whom_nobody_watches(runner: FakeRunner) -> None:
    async def scene() -> None:
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("one"), whole=True)
        await page.until_text("one")
        page.watched.close()
        assert await quietly(lambda: link.recv(10)) == b""  # serve has hung up

    play(scene)


def test_a_page_that_is_reloaded_gets_the_whole_text_again(runner: FakeRunner) -> None:
    async def scene() -> None:
        first = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("one "), whole=True)
        await first.until_text("one ")
        first.watched.close()
        second = Page(live.watch(LOCAL, str(runner.folder)))
        with contextlib.suppress(ConnectionError):  # the first connection may have ended by now
            say(link, text("two ", more=True))
        link = await quietly(runner.client)
        say(link, text("one two "), whole=True)
        say(link, text("three", more=True))
        await second.until_text("one two three")
        second.watched.close()

    play(scene)


def test_a_board_asks_for_lines_and_a_page_for_everything(runner: FakeRunner) -> None:
    async def scene() -> None:
        board = live.watch(LOCAL, str(runner.folder), only_line=True)
        link = await quietly(runner.client)
        link.sendall(b'{"line": "writing \\u001b[31mred"}\n')
        await until_line(board, "writing [31mred")
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("first\nsecond"), whole=True)
        await page.until_text("first\nsecond")
        await until_line(board, "second")
        page.watched.close()
        await quietly(runner.client)
        assert [each["detail"] for each in runner.asked] == ["line", "parts", "line"]
        board.close()

    play(scene)


def test_a_lost_link_is_shown_and_the_text_goes_on_later(
    runner: FakeRunner, local: hosts.HostConnection
) -> None:
    async def scene() -> None:
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("one "), whole=True)
        await page.until_text("one ")
        await quietly(local.close)
        await page.until(lambda: page.stale)
        assert [part.text for part in page.parts.parts.values()] == ["one "]
        link = await quietly(runner.client)
        say(link, text("one two"), whole=True)
        await page.until_text("one two")
        assert not page.stale
        page.watched.close()

    play(scene)


def test_the_end_of_a_run_removes_what_it_had_open(runner: FakeRunner) -> None:
    async def scene() -> None:
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        say(link, text("half"), whole=True)
        await page.until_text("half")
        (runner.folder / "outcome.json").write_text("{}")
        runner.close()
        (runner.folder / "control").unlink()
        link.close()
        await page.until(lambda: not page.parts.parts)
        page.watched.close()

    play(scene)


HOSTILE: list[Json] = [
    {"parts": "no list"},
    {"parts": [1, None, {"id": 5, "kind": [], "text": {}}]},
    {"parts": [{"id": "b", "kind": "text", "text": 9, "seq": "x", "skipped": -5, "more": "yes"}]},
    {"parts": [{"id": "b" * 10_000, "kind": "odd", "text": "t", "parent": "p" * 10_000}]},
    {"line": 7},
    {"line": "l" * 100_000},
    {"parts": [], "whole": "perhaps"},
]


def test_a_hostile_message_harms_only_itself(runner: FakeRunner) -> None:
    async def scene() -> None:
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        for number, message in enumerate(HOSTILE):
            link.sendall(json.dumps(message).encode() + b"\n")
            say(link, text(f"fine {number}"))
            await page.until_text(f"fine {number}")
        assert all(len(name) <= 200 for name in page.parts.parts)
        page.watched.close()

    play(scene)


def test_a_flood_of_a_runner_is_cut(runner: FakeRunner) -> None:
    async def scene() -> None:
        page = Page(live.watch(LOCAL, str(runner.folder)))
        link = await quietly(runner.client)
        pieces = [text("x" * KEPT, id=f"p{number % 55}", more=bool(number % 2)) for number in range(66)]
        lines = b"".join(json.dumps({"parts": [piece]}).encode() + b"\n" for piece in pieces)
        await quietly(lambda: link.sendall(lines))
        say(link, text("end"), whole=True)
        await page.until_text("end")
        run = (await on_hub(_runs()))[str(runner.folder)]
        assert len(run.parts.parts) <= 50
        page.watched.close()

    play(scene)


async def _runs() -> dict[str, live.LiveRun]:
    stream = live._hosts.by_key[LOCAL.key]
    assert isinstance(stream, live.LiveStream)
    return stream.runs


def test_what_is_not_seen_is_left_out() -> None:
    assert shown("a\x1b]0;title\x07b\u202ec\u200bd\te\n🎉\x00") == "a]0;titlebcd\te\n🎉"
