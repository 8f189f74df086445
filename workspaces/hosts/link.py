"""JSON lines over a pipe to hostkit: requests by id, streams and cancellation. Any kind of pipe will do."""

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
"""Bytes that start-up files of a shell may print before hostkit's first line."""


class Pipe(Protocol):
    """Bytes to and from one hostkit process."""

    descriptors: frozenset[int]

    async def read(self) -> bytes:
        """Return some bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send; wait while the other side does not read."""

    async def close(self) -> None:
        """Close at once."""

    async def exit_reason(self) -> str:
        """Return why the other side ended, from its error output; may be empty."""


@dataclass
class Keepalive:
    """When a silent link counts as lost."""

    interval: float = 15.0
    misses: int = 3


@dataclass
class PendingRequest:
    """A request in progress: where its items and its answer go."""

    answer: asyncio.Future[Any]
    item: TakeItem | None = None


class Lines:
    """Splits the chunks of a pipe into lines."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._buffer = bytearray()
        self._searched = 0

    async def next(self) -> bytes | None:
        """Return the next line without its newline; None if the pipe has ended."""
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

    async def skip_noise(self, parse: Callable[[bytes], T | None]) -> T | None:
        """Return the first result of `parse` that is not None; None if the pipe ends before."""
        skipped = 0
        while skipped < NOISE_LIMIT and (line := await self.next()) is not None:
            if (found := parse(line)) is not None:
                return found
            skipped += len(line)
        return None


def parse_hello(line: bytes) -> Hello | None:
    """Return hostkit's hello; None for any other line."""
    if b'"hello"' not in line:
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    hello = message.get("hello") if isinstance(message, dict) else None
    return cast("Hello", hello) if isinstance(hello, dict) else None


class Link:
    """One running hostkit. All methods must be called on the hub's loop."""

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
        """The pipe, for channels on the same connection."""
        return self._pipe

    async def call(self, verb: str, params: Json, timeout: float) -> Any:
        """Send a request and return the answer. Raises HostError: the host's own, timeout or link_lost."""
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
        """Open a stream and return its id. `item` gets each item and its size; `end` is called once."""
        number, waiting = self._register(item)

        def done(answer: asyncio.Future[Any]) -> None:
            error = None if answer.cancelled() else answer.exception()
            end(error if isinstance(error, HostError) else None)

        waiting.answer.add_done_callback(done)
        await self._send({"id": number, "verb": verb, "params": params})
        return number

    def cancel(self, number: int) -> None:
        """Cancel a request or stream on the host, without waiting; nothing happens if it has ended."""
        if not self.lost:
            self._soon(self._send({"id": number, "cancel": True}))

    def drop(self, number: int) -> None:
        """Cancel a stream on the host and ignore its further items."""
        waiting = self._waiting.get(number)
        if waiting:
            self._leave(number, waiting)

    async def close(self) -> None:
        """Close the link; pending requests fail with link_lost."""
        await self._lose(HostError(f"The link to {self._name} was closed.", code="link_lost", retryable=True))

    def _register(self, item: TakeItem | None = None) -> tuple[int, PendingRequest]:
        if self.lost:
            raise self.lost
        number = next(self._numbers)
        waiting = self._waiting[number] = PendingRequest(asyncio.get_running_loop().create_future(), item)
        waiting.answer.add_done_callback(lambda _: self._waiting.pop(number, None))
        return number, waiting

    def _leave(self, number: int, waiting: PendingRequest) -> None:
        """Stop waiting for a request, and cancel it on the host if it has not answered."""
        # A caller that gave up has cancelled its future already.
        if waiting.answer.cancel() or waiting.answer.cancelled():
            self.cancel(number)

    def _soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run in the background: a full pipe must not delay a caller's timeout or the keepalive."""
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
            why = await self._pipe.exit_reason()
        except (OSError, EOFError) as error:
            why = str(error)
        await self._lose(self._loss(why))

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            waiting = self._waiting.get(message["id"])
        except (ValueError, KeyError, TypeError):
            return  # another program's output
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
        """Send a request when the link is silent, and close the link after several misses."""
        while not self.lost:
            await asyncio.sleep(self._keepalive.interval)
            silence = time.monotonic() - self._heard
            if silence >= self._keepalive.interval * self._keepalive.misses:
                await self._lose(self._loss(f"no data for {silence:.0f} s"))
            elif silence >= self._keepalive.interval / 2:
                self._soon(self.call("stat", {"path": "/"}, self._keepalive.interval))

    def _loss(self, why: str) -> HostError:
        detail = f": {why.strip()}" if why.strip() else ""
        return HostError(
            f"The link to {self._name} was lost{detail}.",
            "The app reconnects automatically. Runs on the host continue.",
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
                waiting.answer.exception()  # mark it as retrieved: there may be no caller any more
        current = asyncio.current_task()
        for task in [*self._tasks, *self._background]:
            if task is not current:
                task.cancel()
        descriptors.difference_update(self._pipe.descriptors)
        await self._pipe.close()
