"""The ways by which a ring reaches other processes, and which of them this installation uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import connection

Heard = Callable[[bytes], None]
Look = Callable[[], None]


class Transport(Protocol):
    """Carries small payloads between the processes of one installation; may lose and double them."""

    def send(self, payload: bytes) -> None:
        """Tell everyone who listens; raises when it can't."""

    def listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        """Block until `stopping` is set or the way breaks, which raises.

        `heard` gets each payload; `look` is called where payloads may have been missed, as at the start.
        """


def choose() -> Transport:
    """Redis where it is set up, else PostgreSQL's own notifications, else datagrams beside SQLite."""
    if settings.REDIS_URL:
        from aitask.doorbell.redis import RedisTransport

        return RedisTransport()
    if connection.vendor == "postgresql":
        from aitask.doorbell.postgres import PostgresTransport

        return PostgresTransport()
    from aitask.doorbell.local import LocalTransport

    return LocalTransport(settings.DATA_DIR / "doorbell", _database_file())


def _database_file() -> Path | None:
    """None for the in-memory database of tests, which no other process can change."""
    name = str(connection.settings_dict["NAME"])
    return None if "memory" in name and "/" not in name.replace("file:", "") else Path(name)
