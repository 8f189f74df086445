"""The named pipe of an ssh agent on Windows, without blocking the event loop.

asyncssh reads it in the event loop. An agent that asks a person, like 1Password's or Windows Hello, answers
after seconds or minutes, and all hosts of this process would wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], object], "Future[object]"]


class AgentPipe:
    """Asyncssh opens the agent's connection by it, reads and writes; a thread does so for each connection."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._pipe = -1
        self._unsent = b""

    async def open_agent_connection(self) -> tuple[AgentPipe, AgentPipe]:
        """Return a reader and a writer. Raises OSError if nobody listens."""
        threading.Thread(target=self._work, name="ssh agent", daemon=True).start()
        await self._do(self._open)
        return self, self

    def write(self, data: bytes) -> None:
        """Send data before the next read."""
        self._unsent += data

    async def readexactly(self, count: int) -> bytes:
        """Raises asyncio.IncompleteReadError if the agent closes the pipe."""
        request, self._unsent = self._unsent, b""
        return await self._do(lambda: self._exchange(request, count))

    def close(self) -> None:
        """Close the pipe as soon as nothing reads it; that is not waited for."""
        self._jobs.put(None)

    async def wait_closed(self) -> None: ...

    async def _do(self, function: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._jobs.put((function, future))  # type: ignore[arg-type]
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while job := self._jobs.get():
            function, future = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:
                    future.set_exception(error)
        if self._pipe >= 0:
            os.close(self._pipe)

    def _open(self) -> None:
        self._pipe = os.open(self._path, os.O_RDWR | getattr(os, "O_BINARY", 0))

    def _exchange(self, request: bytes, count: int) -> bytes:
        while request:
            request = request[os.write(self._pipe, request) :]
        answer = b""
        while len(answer) < count:
            if not (piece := os.read(self._pipe, count - len(answer))):
                raise asyncio.IncompleteReadError(answer, count)
            answer += piece
        return answer
