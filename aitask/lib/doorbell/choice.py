"""Chooses the transport of this installation's rings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from aitask.lib.doorbell.local import LocalTransport
from aitask.lib.doorbell.transport import Transport


def choose() -> Transport:
    """Return the transport: Redis if it is set up, else PostgreSQL's notifications, else local datagrams.

    Only the library of the chosen one is imported.
    """
    if settings.REDIS_URL:
        from aitask.lib.doorbell.redis import RedisTransport

        return RedisTransport()
    if connection.vendor == "postgresql":
        from aitask.lib.doorbell.postgres import PostgresTransport

        return PostgresTransport()
    secret = salted_hmac("aitask.doorbell", "local", algorithm="sha256").digest()
    return LocalTransport(settings.DATA_DIR / "doorbell", _database_file(), secret)


def _database_file() -> Path | None:
    """Return the SQLite file; None for the in-memory database of tests, which no other process can change."""
    name = str(connection.settings_dict["NAME"])
    return None if "memory" in name and "/" not in name.replace("file:", "") else Path(name)
