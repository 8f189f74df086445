"""The connections of the web process to SQLite, which threads use one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.utils import ConnectionHandler
from pytest_django.plugin import DjangoDbBlocker

from aitask.lib.pooled_sqlite3 import base
from aitask.tests.lab.app import App


@pytest.fixture
def handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[ConnectionHandler]:
    """Connections to a database of its own, as the web process has them, with a pool of their own."""
    monkeypatch.setattr(base, "pool", base.ConnectionPool())
    settings: dict[str, Any] = {"ENGINE": "aitask.lib.pooled_sqlite3", "NAME": str(tmp_path / "db")}
    settings["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
    with django_db_blocker.unblock():
        yield ConnectionHandler({"default": settings})
    while connection := base.pool.take():
        connection.close()


def in_thread(work: Callable[[], object]) -> object:
    """Do the work in a thread of its own, as a request, and return its result."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def used(handler: ConnectionHandler, statement: str = "SELECT 1") -> object:
    """Return which connection of the driver a thread used for this statement, as at the end of a request."""
    connection = handler["default"]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    driver = connection.connection
    connection.close_if_unusable_or_obsolete()
    return driver


def test_a_thread_uses_the_connection_of_the_thread_before(handler: ConnectionHandler) -> None:
    first = in_thread(lambda: used(handler))
    assert in_thread(lambda: used(handler)) is first


def test_two_threads_at_once_have_a_connection_each(handler: ConnectionHandler) -> None:
    def are_different() -> bool:
        with handler["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
            return in_thread(lambda: used(handler)) is not handler["default"].connection

    assert in_thread(are_different)


def test_what_one_connection_writes_the_next_thread_reads(handler: ConnectionHandler) -> None:
    in_thread(lambda: used(handler, "CREATE TABLE notes (text)"))
    in_thread(lambda: used(handler, "INSERT INTO notes VALUES ('kept')"))

    def read() -> object:
        with handler["default"].cursor() as cursor:
            return cursor.execute("SELECT text FROM notes").fetchall()

    assert in_thread(read) == [("kept",)]


def test_a_connection_with_an_open_transaction_is_not_kept(handler: ConnectionHandler) -> None:
    def leave_open() -> object:
        connection = handler["default"]
        connection.ensure_connection()
        driver = connection.connection
        driver.execute("BEGIN IMMEDIATE")
        connection.close()
        return driver

    first = in_thread(leave_open)
    assert in_thread(lambda: used(handler, "CREATE TABLE notes (text)")) is not first


def test_a_connection_with_an_error_is_not_kept(handler: ConnectionHandler) -> None:
    def fail() -> object:
        connection = handler["default"]
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM missing")
        driver = connection.connection
        connection.close()
        return driver

    first = in_thread(fail)
    assert in_thread(lambda: used(handler)) is not first


def test_a_forked_process_does_not_use_the_connections_of_its_parent(
    handler: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = in_thread(lambda: used(handler))
    monkeypatch.setattr(base.pool, "_process", 1)  # as it looks in a child: the pool is another process's
    second = in_thread(lambda: used(handler))
    assert second is not first
    assert in_thread(lambda: used(handler)) is not second


def test_no_more_connections_are_kept_than_wait_at_most(handler: ConnectionHandler) -> None:
    def nested(depth: int) -> object:
        with handler["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
            if depth:
                in_thread(lambda: nested(depth - 1))
        handler["default"].close()
        return None

    in_thread(lambda: nested(base.MOST_IDLE + 2))
    kept = []
    while connection := base.pool.take():
        kept.append(connection)
        connection.close()
    assert len(kept) == base.MOST_IDLE


@pytest.mark.server
def test_the_web_process_opens_few_connections_for_many_requests() -> None:
    with App() as app:
        app.start_role("web")
        app.wait_until_it_answers()
        for _ in range(3 * base.MOST_IDLE):
            app.api.get("/api/tasks")
        open_files = [link.resolve().name for link in Path(f"/proc/{app.pid('web')}/fd").iterdir()]
        assert 1 <= open_files.count("db.sqlite3") <= base.MOST_IDLE
