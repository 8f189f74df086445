"""Sends frames from the hosts' event loop to a browser's socket."""

from __future__ import annotations

import asyncio
import json
import threading
import types
from collections import deque
from collections.abc import Coroutine, Generator
from typing import Any

from aitask.lib.fast_socket import Direct
from aitask.lib.origin import Send
from terminal.control.viewer import Frame

Message = dict[str, Any]


class Outbox:
    """A thread-safe queue of frames for one socket. The viewer limits how many bytes are in it.

    A send that completes without waiting, as with Daphne, runs in a callback, because a task would add one
    iteration of the event loop to each key press. If a send has to wait, `run` completes it and sends the
    frames after it.
    """

    def __init__(self, send: Send, direct: Direct | None = None) -> None:
        self._send = send
        self._direct = direct
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._frames: list[Frame] = []
        self._lock = threading.Lock()
        self._blocked = asyncio.Event()
        self._unfinished: tuple[Coroutine[Any, Any, None], Any] | None = None
        self._waiting: deque[Message] = deque()

    def put(self, frame: Frame) -> None:
        """Add a frame, from any thread. A call in the socket's own thread sends it immediately."""
        if threading.get_ident() == self._thread and not self._frames:
            self._send_now(frame)
            return
        with self._lock:
            self._frames.append(frame)
            if len(self._frames) > 1:
                return
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:
            return  # the event loop is closed: the web server is shutting down

    async def run(self) -> None:
        """Complete sends that had to wait, forever. Raises what the server raises."""
        while True:
            await self._blocked.wait()
            if self._unfinished:
                await _finish(*self._unfinished)
                self._unfinished = None
            while self._waiting:
                await self._send(self._waiting.popleft())
            self._blocked.clear()

    def _flush(self) -> None:
        with self._lock:
            frames, self._frames = self._frames, []
        self._waiting.extend(messages(frames))
        self._push()

    def _send_now(self, frame: Frame) -> None:
        if self._direct and not self._waiting:
            self._direct.send(frame if isinstance(frame, bytes) else _json(frame))
        else:
            self._waiting.extend(messages([frame]))
            self._push()

    def _push(self) -> None:
        """Send waiting messages until one has to wait."""
        while self._waiting and not self._blocked.is_set():
            sending: Coroutine[Any, Any, None] = self._send(self._waiting.popleft())  # type: ignore[assignment]
            try:
                waits_for = sending.send(None)
            except StopIteration:
                continue
            self._unfinished = (sending, waits_for)
            self._blocked.set()


@types.coroutine
def _finish(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Continue a coroutine that was started outside a task and is waiting for `waits_for`."""
    while True:
        yield waits_for
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return


def messages(frames: list[Frame]) -> list[Message]:
    """Return the ASGI messages for the frames; consecutive bytes are joined into one message."""
    result: list[Message] = []
    for frame in frames:
        if isinstance(frame, dict):
            result.append({"type": "websocket.send", "text": _json(frame)})
        elif result and "bytes" in result[-1]:
            result[-1]["bytes"] += frame
        else:
            result.append({"type": "websocket.send", "bytes": frame})
    return result


def _json(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False)
