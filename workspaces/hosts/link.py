"""JSON lines over a pipe to hostkit: requests by id, streams, cancellation, whatever the pipe is."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from workspaces.hostkit.wire import Hello, Json
from workspaces.hosts.errors import HostError, remote_error
from workspaces.hosts.hub import descriptors

TakeItem = Callable[[Any, int], None]

T = TypeVar("T")

NOISE_LIMIT = 1 << 20
"""Bytes that start-up files of a shell may print before hostkit speaks."""


class Pipe(Protocol):
    """Bytes to and from one hostkit process."""

    descriptors: frozenset[int]

    async def read(self) -> bytes:
        """Some bytes; none at the end."""

    async def write(self, data: bytes) -> None:
        """Send; waits while the other side does not read."""

    async def close(self) -> None:
        """Let go at once."""

    async def epitaph(self) -> str:
        """Why the other side ended, in its own words; may be empty."""


@dataclass
class Keepalive:
    """How soon a link that has fallen silent is given up."""

    interval: float = 15.0
    misses: int = 3


@dataclass
class PendingRequest:
    """A request under way: where its items and its answer go."""

    answer: asyncio.Future[Any]
    item: TakeItem | None = None


class Lines:
    """Whole lines out of the chunks of a pipe."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._buffer = bytearray()
        self._searched = 0

    async def next(self) -> bytes | None:
        """The next line without its end; None when the pipe has ended."""
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            chunk = await self._pipe.read()
            if not chunk:
                return None
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    async def skip_noise(self, wanted: Callable[[bytes], T | None]) -> T | None:
        """What `wanted` makes of the first line that it knows; None when the pipe ends before."""
        skipped = 0
        while skipped < NOISE_LIMIT and (line := await self.next()) is not None:
            if (found := wanted(line)) is not None:
                return found
            skipped += len(line)
        return None


def parse_hello(line: bytes) -> Hello | None:
    """The greeting of hostkit, or None for any other line."""
    if b'"hello"' not in line:
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    hello = message.get("hello") if isinstance(message, dict) else None
    return cast("Hello", hello) if isinstance(hello, dict) else None


class Link:
    """One running hostkit. All methods belong to the hub's loop."""

    def __init__(self, pipe: Pipe, hello: Hello, *, lines: Lines, name: str, keepalive: Keepalive) -> None:
        self.hello = hello
        self.last_heard = time.time()
        self.opened = time.monotonic()
        self.lost: HostError | None = None
        descriptors.update(pipe.descriptors)
        self._name = name
        self._pipe = pipe
        self._lines = lines
        self._keepalive = keepalive
        self._numbers = itertools.count(1)
        self._waiting: dict[int, PendingRequest] = {}
        self._heard = time.monotonic()
        self._background: set[asyncio.Task[Any]] = set()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]

    @property
    def pipe(self) -> Pipe:
        """What carries it, for channels that run beside it."""
        return self._pipe

    async def call(self, verb: str, params: Json, timeout: float) -> Any:
        """Ask and wait for the answer. Raises HostError: the host's own, timeout, or link_lost."""
        number, waiting = self._register()
        try:
            async with asyncio.timeout(timeout):
                await self._send({"id": number, "verb": verb, "params": params})
                return await waiting.answer
        except TimeoutError:
            raise HostError(
                f"{self._name} did not answer within {timeout:g} s.", code="timeout", retryable=True
            ) from None
        finally:
            self._leave(number, waiting)

    async def open_stream(
        self, verb: str, params: Json, item: TakeItem, end: Callable[[HostError | None], None]
    ) -> int:
        """Ask for a stream: `item` gets each item and its size in bytes; `end` comes once. Returns the id."""
        number, waiting = self._register(item)

        def done(answer: asyncio.Future[Any]) -> None:
            error = None if answer.cancelled() else answer.exception()
            end(error if isinstance(error, HostError) else None)

        waiting.answer.add_done_callback(done)
        await self._send({"id": number, "verb": verb, "params": params})
        return number

    def cancel(self, number: int) -> None:
        """End a request or stream on the host, soon; the host ignores it for what has ended."""
        if not self.lost:
            self._soon(self._send({"id": number, "cancel": True}))

    def drop(self, number: int) -> None:
        """End a stream on the host and take nothing more of it."""
        waiting = self._waiting.get(number)
        if waiting:
            self._leave(number, waiting)

    async def close(self) -> None:
        """End the link; whoever still waits gets link_lost."""
        await self._lose(HostError(f"The link to {self._name} was closed.", code="link_lost", retryable=True))

    def _register(self, item: TakeItem | None = None) -> tuple[int, PendingRequest]:
        if self.lost:
            raise self.lost
        number = next(self._numbers)
        waiting = self._waiting[number] = PendingRequest(asyncio.get_running_loop().create_future(), item)
        waiting.answer.add_done_callback(lambda _: self._waiting.pop(number, None))
        return number, waiting

    def _leave(self, number: int, waiting: PendingRequest) -> None:
        """Nobody waits any longer: end it on the host when it has not answered."""
        # A caller that gave up has cancelled the future which it was waiting for.
        if waiting.answer.cancel() or waiting.answer.cancelled():
            self.cancel(number)

    def _soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it while nobody waits: a full pipe must stop neither a caller's timeout nor the watch."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _send(self, message: Json) -> None:
        try:
            await self._pipe.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except (OSError, EOFError) as error:
            await self._lose(self._loss(str(error)))
            raise (self.lost or self._loss(str(error))) from error

    async def _read(self) -> None:
        try:
            while (line := await self._lines.next()) is not None:
                self.last_heard, self._heard = time.time(), time.monotonic()
                self._take(line)
            why = await self._pipe.epitaph()
        except (OSError, EOFError) as error:
            why = str(error)
        await self._lose(self._loss(why))

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            waiting = self._waiting.get(message["id"])
        except (ValueError, KeyError, TypeError):
            return  # whatever else may print on a host's standard output is none of ours
        if waiting is None or waiting.answer.done():
            return
        if "item" in message:
            if waiting.item:
                waiting.item(message["item"], len(line))
        elif "error" in message:
            waiting.answer.set_exception(remote_error(message["error"]))
        else:
            waiting.answer.set_result(message.get("ok"))

    async def _watch(self) -> None:
        """Ask for a sign of life when the link is silent; give it up after several misses."""
        while not self.lost:
            await asyncio.sleep(self._keepalive.interval)
            silence = time.monotonic() - self._heard
            if silence >= self._keepalive.interval * self._keepalive.misses:
                await self._lose(self._loss(f"nothing heard for {silence:.0f} s"))
            elif silence >= self._keepalive.interval / 2:
                self._soon(self.call("stat", {"path": "/"}, self._keepalive.interval))

    def _loss(self, why: str) -> HostError:
        detail = f": {why.strip()}" if why.strip() else ""
        return HostError(
            f"The link to {self._name} was lost{detail}.",
            "It is opened again by itself; what runs there goes on.",
            code="link_lost",
            retryable=True,
        )

    async def _lose(self, error: HostError) -> None:
        if self.lost:
            return
        self.lost = error
        for waiting in list(self._waiting.values()):
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
                waiting.answer.exception()  # nobody may be waiting: that is no error
        current = asyncio.current_task()
        for task in [*self._tasks, *self._background]:
            if task is not current:
                task.cancel()
        descriptors.difference_update(self._pipe.descriptors)
        await self._pipe.close()
