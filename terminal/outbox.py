"""Frames on their way from the loop of the hosts to a browser's socket."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from terminal.control.viewer import Frame


class Outbox:
    """Filled from the loop of the hosts, emptied by the socket's task; the viewer bounds what is in it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._frames: list[Frame] = []
        self._lock = threading.Lock()

    def put(self, frame: Frame) -> None:
        """Add a frame; may be called from any thread."""
        with self._lock:
            self._frames.append(frame)
            if len(self._frames) > 1:
                return
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:
            return  # the web server is going down

    async def take(self) -> list[dict[str, Any]]:
        """The ASGI messages to be sent now; waits for the first."""
        await self._filled.wait()
        self._filled.clear()
        with self._lock:
            frames, self._frames = self._frames, []
        return list(messages(frames))


def messages(frames: list[Frame]) -> list[dict[str, Any]]:
    """ASGI messages of frames; bytes that follow each other travel together."""
    result: list[dict[str, Any]] = []
    for frame in frames:
        if isinstance(frame, dict):
            result.append({"type": "websocket.send", "text": json.dumps(frame, ensure_ascii=False)})
        elif result and "bytes" in result[-1]:
            result[-1]["bytes"] += frame
        else:
            result.append({"type": "websocket.send", "bytes": frame})
    return result
