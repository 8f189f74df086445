"""Rings by Channels' layer on Redis (channels-redis, pubsub), where REDIS_URL is set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from channels.layers import get_channel_layer

from aitask.lib.doorbell.transport import Heard, Look

GROUP = "doorbell"
SEND_SECONDS = 5.0
BEAT_SECONDS = 1.0
SILENT_SECONDS = 4.0


class RedisTransport:
    """The layer belongs to one event loop, so it has a loop here, in a thread of its own.

    The layer mends a broken connection without a word and loses what was sent meanwhile. So a listener sends
    itself a beat: when that can't be sent or does not come back, listening ends, and whoever begins it anew
    looks at everything.
    """

    def __init__(self, layer: Any = None) -> None:
        self._layer: Any = layer or get_channel_layer()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="doorbell by redis", daemon=True).start()

    def send(self, payload: bytes) -> None:
        self._run(asyncio.wait_for(self._layer.group_send(GROUP, {"rung": payload}), SEND_SECONDS))

    def listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        self._run(self._listen(heard, look, stopping))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        try:
            channel = await self._layer.new_channel()
            await self._layer.group_add(GROUP, channel)
            look()
            await _first_to_end(self._beat(channel), self._hear(channel, heard, stopping))
        finally:
            await self._layer.flush()

    async def _beat(self, channel: str) -> None:
        while True:
            await self._layer.send(channel, {"rung": b""})
            await asyncio.sleep(BEAT_SECONDS)

    async def _hear(self, channel: str, heard: Heard, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                message = await asyncio.wait_for(self._layer.receive(channel), SILENT_SECONDS)
            except TimeoutError:
                raise ConnectionError("Redis does not bring back what is sent to it.") from None
            if message["rung"]:
                heard(message["rung"])


async def _first_to_end(*works: Coroutine[Any, Any, None]) -> None:
    """Run them side by side until one ends or fails, as it does."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
