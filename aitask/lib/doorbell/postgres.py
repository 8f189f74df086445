"""Rings by PostgreSQL's LISTEN and NOTIFY, used if Redis is not set up."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg
from django.db import connection

from aitask.lib.doorbell.transport import OnPayload, Resync

CHANNEL = "aitask_doorbell"
LISTEN_SECONDS = 1.0


class PostgresTransport:
    """Sends on the thread's django_only connection, and listens on a separate one."""

    def send(self, payload: bytes) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload.decode()])

    def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
        with contextlib.closing(psycopg.connect(**_parameters(), autocommit=True)) as listener:
            listener.execute(f"LISTEN {CHANNEL}")
            resync()
            while not stopping.is_set():
                for notification in listener.notifies(timeout=LISTEN_SECONDS):
                    on_payload(notification.payload.encode())


def _parameters() -> dict[str, Any]:
    """Return Django's connection parameters without those that only Django understands."""
    django_only = (
        "context",
        "cursor_factory",
        "prepare_threshold",
        "server_side_binding",
        "isolation_level",
        "pool",
    )
    return {
        name: value for name, value in connection.get_connection_params().items() if name not in django_only
    }
