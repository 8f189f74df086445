"""Frames on their way from the loop of the hosts to a browser's socket."""

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
    """Filled from the loop of the hosts; the viewer bounds what is in it.

    What the server takes without waiting, as daphne always does, is sent from a callback: a task would cost a
    turn of the loop at each key. A send that does wait is finished by `run`, and all behind it.
    """

    def __init__(self, send: Send, direct: Direct | None = None) -> None:
        self._send = send
        self._direct = direct
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._frames: list[Frame] = []
        self._lock = threading.Lock()
        self._stuck = asyncio.Event()
        self._unfinished: tuple[Coroutine[Any, Any, None], Any] | None = None
        self._waiting: deque[Message] = deque()

    def put(self, frame: Frame) -> None:
        """Add a frame; may be called from any thread. On the socket's own loop it is sent at once."""
        if threading.get_ident() == self._thread and not self._frames:
            self._send_at_once(frame)
            return
        with self._lock:
            self._frames.append(frame)
            if len(self._frames) > 1:
                return
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:
            return  # the web server is going down

    async def run(self) -> None:
        """Finish what the server did not take at once; raises what the server raises."""
        while True:
            await self._stuck.wait()
            if self._unfinished:
                await _finish(*self._unfinished)
                self._unfinished = None
            while self._waiting:
                await self._send(self._waiting.popleft())
            self._stuck.clear()

    def _flush(self) -> None:
        with self._lock:
            frames, self._frames = self._frames, []
        self._waiting.extend(messages(frames))
        self._push()

    def _send_at_once(self, frame: Frame) -> None:
        if self._direct and not self._waiting:
            self._direct.send(frame if isinstance(frame, bytes) else _json(frame))
        else:
            self._waiting.extend(messages([frame]))
            self._push()

    def _push(self) -> None:
        """Send until the server makes us wait."""
        while self._waiting and not self._stuck.is_set():
            sending: Coroutine[Any, Any, None] = self._send(self._waiting.popleft())  # type: ignore[assignment]
            try:
                waits_for = sending.send(None)
            except StopIteration:
                continue
            self._unfinished = (sending, waits_for)
            self._stuck.set()


@types.coroutine
def _finish(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was begun outside a task, from what it waits for."""
    while True:
        yield waits_for
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return


def messages(frames: list[Frame]) -> list[Message]:
    """ASGI messages of frames; bytes that follow each other travel together."""
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
