"""What pages answer while the database is away, and for faults of the app."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.test import Client

from tasks.board import queries
from tasks.tests.factories import make_owner

pytestmark = pytest.mark.django_db
OUTAGES = (
    OperationalError("unable to open database file"),
    OperationalError("server closed the connection unexpectedly"),
    InterfaceError("connection already closed"),
)


@pytest.fixture
def browser() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(make_owner())
    return client


@pytest.mark.parametrize("error", OUTAGES)
def test_a_page_says_that_the_database_is_away(
    browser: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(queries, "board", Mock(side_effect=error))
    response = browser.get("/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    page = response.content.decode()
    assert "The database can&#x27;t be used now" in page or "The database can't be used now" in page
    assert str(error) not in page


def test_a_part_of_a_page_says_it_in_a_message(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "board", Mock(side_effect=OUTAGES[0]))
    response = browser.get("/", headers={"HX-Request": "true"})
    assert response.status_code == 503
    assert "The database can't be used now." in response["HX-Trigger"]


@pytest.mark.parametrize("error", [ProgrammingError("no such table"), ZeroDivisionError("oops")])
def test_a_fault_of_the_app_is_a_server_error(
    browser: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(queries, "board", Mock(side_effect=error))
    response = browser.get("/")
    assert response.status_code == 500
    assert "Server error" in response.content.decode()
    assert str(error) not in response.content.decode()
