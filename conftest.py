"""Fixtures and markers that every app's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import TransactionTestCase

from aitask.tests.lab.app import App
from aitask.tests.lab.endpoint import ScriptedEndpoint

USES_DATABASE = {"db", "transactional_db", "django_db_serialized_rollback", "app"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches no database, so that it need not run once per database."""
    for item in items:
        if not _uses_database(item):
            item.add_marker("any_database")


def _uses_database(item: pytest.Item) -> bool:
    owner = getattr(item, "cls", None)
    return (
        item.get_closest_marker("django_db") is not None
        or (owner is not None and issubclass(owner, TransactionTestCase))
        or not USES_DATABASE.isdisjoint(getattr(item, "fixturenames", ()))
    )


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """A scripted model endpoint on a free port of loopback."""
    with ScriptedEndpoint() as server:
        yield server


@pytest.fixture
def app() -> Iterator[App]:
    """The whole application, started by `manage.py up`, with an administrator."""
    with App() as application:
        application.up()
        yield application
        print(application.log[-10_000:])  # pytest shows it with a failure
