"""A person changes the own password."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db
OLD, NEW = "correct horse battery", "paper tulip bridge"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=OLD)


def change(browser: Client, old: str = OLD) -> int:
    fields = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return browser.post("/account/password", fields).status_code


def test_afterwards_the_new_one_counts_and_this_browser_stays_logged_in(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert change(client) == 302
    assert client.get("/account/password").status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_other_browsers_have_to_log_in_again(client: Client, ada: User) -> None:
    other = Client()
    for browser in (client, other):
        browser.force_login(ada)
    change(client)
    assert other.get("/account/password").status_code == 302


def test_without_the_old_one_nothing_changes(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert change(client, old="guessed") == 200
    ada.refresh_from_db()
    assert ada.check_password(OLD)
