"""The one-time link that makes the first administrator."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from aitask import first_run

PASSWORD = "correct horse battery"
ANSWERS = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(settings: Settings, tmp_path: Path) -> str:
    settings.DATA_DIR = tmp_path
    return f"/setup/{first_run.new_token()}"


def test_it_makes_an_administrator_and_logs_them_in(client: Client, link: str) -> None:
    answer = client.post(link, ANSWERS)
    ada = User.objects.get()
    assert answer.headers["Location"] == "/"
    assert ada.is_superuser
    assert ada.is_staff
    assert ada.check_password(PASSWORD)
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_looking_at_the_page_does_not_spend_the_link(client: Client, link: str) -> None:
    assert client.get(link).status_code == 200
    assert client.get(link).status_code == 200


def test_a_mistake_in_the_form_does_not_spend_the_link(client: Client, link: str) -> None:
    assert client.post(link, ANSWERS | {"password2": "other"}).status_code == 422
    assert client.post(link, ANSWERS).status_code == 302


def test_it_works_once(client: Client, link: str) -> None:
    client.post(link, ANSWERS)
    again = Client()
    assert again.get(link).status_code == 404
    assert again.post(link, ANSWERS | {"username": "eve"}).status_code == 404
    assert User.objects.count() == 1


def test_it_does_nothing_once_somebody_can_log_in(client: Client, link: str) -> None:
    User.objects.create_user("bob")
    assert client.post(link, ANSWERS).status_code == 404


def test_a_link_that_is_not_needed_is_removed_and_never_works_again(client: Client, link: str) -> None:
    """An account was made by `createsuperuser`; later all are deleted."""
    bob = User.objects.create_user("bob")
    assert not first_run.is_needed()
    bob.delete()
    assert client.post(link, ANSWERS).status_code == 404
    assert not User.objects.exists()


def test_a_newer_link_replaces_it(client: Client, link: str) -> None:
    first_run.new_token()
    assert client.get(link).status_code == 404


def test_a_guess_is_refused(client: Client, link: str) -> None:
    assert client.get(link + "x").status_code == 404
    assert client.get("/setup/ä").status_code == 404


def test_only_its_digest_is_kept_for_the_owner_alone(link: str, tmp_path: Path) -> None:
    kept = tmp_path / "setup_token"
    assert link.removeprefix("/setup/") not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_of_two_who_use_it_at_once_one_succeeds(link: str) -> None:
    token = link.removeprefix("/setup/")
    assert [first_run.use(token), first_run.use(token)] == [True, False]
