"""The queue in Redis. A module of its own: without Redis, no process needs to import its client."""

from __future__ import annotations

from collections.abc import Iterable

from django_q.brokers.redis_broker import Redis


class ListedRedis(Redis):  # type: ignore[misc]
    """django-q's queue in Redis, which also tells what is in it."""

    def waiting(self) -> Iterable[bytes]:
        jobs: list[bytes] = self.connection.lrange(self.list_key, 0, -1)
        return jobs
