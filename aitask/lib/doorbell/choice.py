"""Which way of ringing this installation uses."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection

from aitask.lib.doorbell.local import LocalTransport
from aitask.lib.doorbell.transport import Transport


def choose() -> Transport:
    """Redis where it is set up, else PostgreSQL's own notifications, else datagrams beside SQLite.

    Only the library of the one that is used is loaded.
    """
    if settings.REDIS_URL:
        from aitask.lib.doorbell.redis import RedisTransport

        return RedisTransport()
    if connection.vendor == "postgresql":
        from aitask.lib.doorbell.postgres import PostgresTransport

        return PostgresTransport()
    return LocalTransport(settings.DATA_DIR / "doorbell", _database_file())


def _database_file() -> Path | None:
    """None for the in-memory database of tests, which no other process can change."""
    name = str(connection.settings_dict["NAME"])
    return None if "memory" in name and "/" not in name.replace("file:", "") else Path(name)
