"""JSON lines over a pipe to hostkit: requests by id, streams and cancellation. Any kind of pipe will do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from aitask.lib import untrusted_json
from workspaces.hostkit.wire import Hello, Json
from workspaces.hosts.errors import HostError, remote_error
from workspaces.hosts.hub import descriptors

log = logging.getLogger(__name__)

TakeItem = Callable[[Any, int], None]

T = TypeVar("T")

NOISE_LIMIT = 1 << 20
"""Bytes that start-up files of a shell may print before hostkit's first line."""
MAX_LINE = 4 << 20
"""Bytes of hostkit's longest line. It sends longer answers in parts."""
MAX_ANSWER = 256 << 20
"""Bytes of an answer that came in parts."""
RECONNECTS = "The app reconnects automatically. Runs on the host continue."
MAX_DEPTH = 160
"""Levels of a message: of an event, and of the answers that contain one."""


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
    parts: list[str] = field(default_factory=list)
    size: int = 0

    def join(self, part: str, more: bool) -> str | None:
        """Add a part of the answer; return the whole answer with the last one. Raises HostError."""
        self.parts.append(part)
        self.size += len(part)
        if self.size > MAX_ANSWER:
            raise HostError(f"The answer is larger than {MAX_ANSWER >> 20} MB.", code="too_large")
        return None if more else "".join(self.parts)


class LineTooLong(ConnectionError):
    """The other side printed more than allowed without the end of a line."""


class Lines:
    """Splits the chunks of a pipe into lines."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._buffer = bytearray()
        self._searched = 0

    async def next(self, longest: int = MAX_LINE) -> bytes | None:
        """Return the next line without its newline; None if the pipe has ended. Raises LineTooLong."""
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > longest:
                self._buffer.clear()
                raise LineTooLong(f"it printed {longest:,} bytes without a line's end")
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
        left = NOISE_LIMIT
        with contextlib.suppress(LineTooLong):
            while left > 0 and (line := await self.next(left)) is not None:
                if (found := parse(line)) is not None:
                    return found
                left -= len(line) + 1
        return None


def parse_hello(line: bytes) -> Hello | None:
    """Return hostkit's hello; None for any other line."""
    if b'"hello"' not in line:
        return None
    try:
        message = untrusted_json.loads(line)
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

    async def close(self, reason: str = "") -> None:
        """Close the link; pending requests fail with link_lost."""
        reason = reason or f"The link to {self._name} was closed."
        await self._lose(HostError(reason, RECONNECTS, code="link_lost", retryable=True))

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

    def _take(self, line: bytes | str) -> None:
        try:
            message = untrusted_json.loads(line, depth=MAX_DEPTH)
            waiting = self._waiting.get(message["id"])
        except (ValueError, KeyError, TypeError):
            return  # another program's output
        if waiting is None or waiting.answer.done():
            return
        try:
            self._deliver(message, waiting, len(line))
        except HostError as error:
            waiting.answer.set_exception(error)
        except Exception as error:
            log.exception("%s sent something unexpected", self._name)
            reason = f"{self._name} sent an answer that can't be read: {error}."
            waiting.answer.set_exception(HostError(reason, code="remote_failed"))

    def _deliver(self, message: Json, waiting: PendingRequest, size: int) -> None:
        """Hand a message to whoever waits for it. Raises what its receiver raises."""
        if "item" in message:
            if waiting.item:
                waiting.item(message["item"], size)
        elif "part" in message:
            if (whole := waiting.join(str(message["part"]), bool(message.get("more")))) is not None:
                self._take(whole)
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
            RECONNECTS,
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
