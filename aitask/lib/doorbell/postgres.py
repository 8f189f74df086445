"""Rings by PostgreSQL's LISTEN and NOTIFY, where no Redis is set up."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg
from django.db import connection

from aitask.lib.doorbell.transport import Heard, Look

CHANNEL = "aitask_doorbell"
LISTEN_SECONDS = 1.0


class PostgresTransport:
    """Sends on the thread's own connection, listens on one kept for it."""

    def send(self, payload: bytes) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload.decode()])

    def listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        with contextlib.closing(psycopg.connect(**_parameters(), autocommit=True)) as listener:
            listener.execute(f"LISTEN {CHANNEL}")
            look()
            while not stopping.is_set():
                for notification in listener.notifies(timeout=LISTEN_SECONDS):
                    heard(notification.payload.encode())


def _parameters() -> dict[str, Any]:
    """How Django connects, without what is Django's own."""
    own = ("context", "cursor_factory", "prepare_threshold", "server_side_binding", "isolation_level", "pool")
    return {name: value for name, value in connection.get_connection_params().items() if name not in own}
