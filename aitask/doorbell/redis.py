"""Rings by Redis pubsub, where REDIS_URL is set."""

from __future__ import annotations

import hashlib
import threading

from django.conf import settings
from redis import Redis

from aitask.doorbell.transports import Heard, Look

LISTEN_SECONDS = 1.0
CONNECT_SECONDS = 5.0


class RedisTransport:
    """One channel per installation, so that two of them can share a Redis."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
            health_check_interval=15,
        )
        self._channel = f"aitask:doorbell:{hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest()[:12]}"

    def send(self, payload: bytes) -> None:
        self._redis.publish(self._channel, payload)

    def listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(self._channel)
            look()
            while not stopping.is_set():
                message = pubsub.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    heard(message["data"])
