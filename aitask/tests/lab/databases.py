"""A separate database and Redis for each application that a test starts."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from .services import Redis


@contextmanager
def own_databases(template: str = "") -> Iterator[dict[str, str]]:
    """Yield the settings for one application: none (SQLite in its DATA_DIR) unless `DATABASE_URL` is set.

    Otherwise a new database on that PostgreSQL server (empty, or a copy of `template`) and a Redis server,
    which are removed at the end.
    """
    server = os.environ.get("DATABASE_URL")
    if not server:
        yield {}
        return
    with Redis() as redis:
        name = new_database(server, template)
        try:
            yield {"DATABASE_URL": url_of(server, name), "REDIS_URL": redis.url}
        finally:
            _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def new_database(server: str, template: str = "") -> str:
    """Create an empty database, or a copy of one that is not in use; return its name."""
    name = f"app_{uuid.uuid4().hex}"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    return name


def url_of(server: str, database: str) -> str:
    return urlsplit(server)._replace(path=f"/{database}").geturl()


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
