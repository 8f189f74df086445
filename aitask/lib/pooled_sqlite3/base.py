"""The backend. Django looks for it in a module of this name."""

from __future__ import annotations

import os
import threading
from sqlite3 import Connection
from typing import Any

from django.db.backends.sqlite3 import base

MOST_IDLE = 4
"""Connections that wait for a thread. Each has up to 2 MB of the database in its cache."""


class ConnectionPool:
    """Open connections to one database that no thread uses. Safe for threads."""

    def __init__(self) -> None:
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._process = os.getpid()

    def take(self) -> Connection | None:
        """Return the connection that was used last; None if there is none."""
        with self._lock:
            # A connection of the process that this one was forked from must not be used, nor closed.
            return self._idle.pop() if self._idle and self._process == os.getpid() else None

    def give_back(self, connection: Connection) -> bool:
        """Keep the connection for another thread. Return whether there was room for it."""
        with self._lock:
            has_room = len(self._idle) < MOST_IDLE and self._process == os.getpid()
            if has_room:
                self._idle.append(connection)
            return has_room


pool = ConnectionPool()


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects to the database of the settings, of which there is one.

    A connection is closed and not kept if an error has occurred, or if a transaction is open.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        return pool.take() or super().get_new_connection(conn_params)

    def _close(self) -> None:
        connection = self.connection
        is_good = connection is not None and not self.errors_occurred and not connection.in_transaction
        if not (is_good and pool.give_back(connection)):
            super()._close()  # type: ignore[misc]  # the stubs lack it
