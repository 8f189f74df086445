"""Rings by a channel layer on Redis (channels-redis, pubsub), used if REDIS_URL is set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from channels.layers import get_channel_layer

from aitask.lib.doorbell.transport import OnPayload, Resync

GROUP = "doorbell"
SEND_SECONDS = 5.0
BEAT_SECONDS = 1.0
SILENT_SECONDS = 4.0


class RedisTransport:
    """Runs the channel layer on its own event loop in a thread, because a layer belongs to one loop.

    The layer restores a broken connection silently and loses what was sent meanwhile. So a listener sends
    itself heartbeats. If one can't be sent or does not arrive, listening ends, and the next `listen` resyncs.
    """

    def __init__(self, layer: Any = None) -> None:
        self._layer: Any = layer or get_channel_layer()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="doorbell by redis", daemon=True).start()

    def send(self, payload: bytes) -> None:
        self._run(self._send(payload))

    async def _send(self, payload: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._layer.group_send(GROUP, {"rung": payload})

    def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
        self._run(self._listen(on_payload, resync, stopping))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
        try:
            channel = await self._layer.new_channel()
            await self._layer.group_add(GROUP, channel)
            resync()
            await _run_until_first_ends(self._beat(channel), self._receive(channel, on_payload, stopping))
        finally:
            await self._layer.flush()

    async def _beat(self, channel: str) -> None:
        while True:
            await self._layer.send(channel, {"rung": b""})
            await asyncio.sleep(BEAT_SECONDS)

    async def _receive(self, channel: str, on_payload: OnPayload, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    message = await self._layer.receive(channel)
            except TimeoutError:
                raise ConnectionError("Redis does not deliver messages.") from None
            if message["rung"]:
                on_payload(message["rung"])


async def _run_until_first_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines concurrently until one of them returns or raises, and raise its exception."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
