"""A database and a Redis of its own for each application that a test starts."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from .services import Redis


@contextmanager
def own_databases() -> Iterator[dict[str, str]]:
    """Settings for one application: none (SQLite in its DATA_DIR), unless this test run has `DATABASE_URL`.

    Then a new database on that PostgreSQL server, and a Redis server, both gone at the end.
    """
    server = os.environ.get("DATABASE_URL")
    if not server:
        yield {}
        return
    name = f"app_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection, Redis() as redis:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield {
                "DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl(),
                "REDIS_URL": redis.url,
            }
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
