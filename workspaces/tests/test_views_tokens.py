"""API tokens: shown once, kept as a digest, revoked by their owner alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tasks.tests.factories import make_user
from tasks.tests.people import browser_of
from workspaces.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return browser_of(make_user("ada"))


NEW = {"name": "nightly", "days": "365", "password": "correct horse"}


def test_a_new_token_is_shown_this_once(client: Client) -> None:
    made = client.post("/account/tokens", NEW)
    token = re.search(r"aitask_[\w-]{40,}", made.content.decode())
    assert token
    assert ApiToken.objects.get().digest == ApiToken.digest_of(token[0])
    assert "no-store" in made.headers["Cache-Control"]
    again = client.get("/account/tokens").content.decode()
    assert "nightly" in again
    assert token[0] not in again


def test_the_new_token_opens_the_api(client: Client) -> None:
    page = client.post("/account/tokens", NEW).content.decode()
    token = re.search(r'data-copy="(aitask_[\w-]+)"', page)
    assert token
    answer = Client().get("/api/tasks", headers={"Authorization": f"Bearer {token[1]}"})
    assert answer.status_code == 200


def test_a_token_needs_a_name(client: Client) -> None:
    assert client.post("/account/tokens", {**NEW, "name": " "}).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_owner(client: Client) -> None:
    client.post("/account/tokens", NEW)
    path = f"/account/tokens/{ApiToken.objects.get().pk}/revoke"
    assert browser_of(make_user()).post(path).status_code == 404
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 302
    assert not ApiToken.objects.exists()


def test_tokens_of_others_are_not_listed(client: Client) -> None:
    ApiToken.issue(user_id=make_user().pk, name="not yours")
    assert "not yours" not in client.get("/account/tokens").content.decode()


@pytest.mark.parametrize("entry", [{"password": "wrong"}, {"password": ""}, {"days": "36500"}, {"days": ""}])
def test_making_a_token_needs_the_password_and_a_known_time(client: Client, entry: dict[str, str]) -> None:
    assert client.post("/account/tokens", {**NEW, **entry}).status_code == 422
    assert not ApiToken.objects.exists()


def status_of(token: str) -> int:
    return Client().get("/api/tasks", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_ends_at_its_date() -> None:
    token = ApiToken.issue(user_id=make_user().pk, name="short", days=7)
    assert status_of(token) == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status_of(token) == 401


@pytest.mark.parametrize("new", ["another horse", "correct horse"])
def test_a_token_ends_when_a_password_is_set_even_the_same_one(new: str) -> None:
    user = make_user()
    token = ApiToken.issue(user_id=user.pk, name="old")
    user.set_password(new)
    user.save(update_fields=["password"])
    assert status_of(token) == 401


def test_a_token_survives_a_login_that_upgrades_the_stored_password(settings: Settings) -> None:
    """Newer versions of Django hash with more iterations, and store that at the next login."""
    older = "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, older]
    user = make_user()
    weak = make_password("correct horse", hasher="pbkdf2_sha1")
    User.objects.filter(pk=user.pk).update(password=weak)
    token = ApiToken.issue(user_id=user.pk, name="kept")
    Client().post("/login", {"username": user.username, "password": "correct horse"})
    user.refresh_from_db()
    assert user.password != weak
    assert status_of(token) == 200


def test_the_page_says_which_tokens_are_not_valid_any_more(client: Client) -> None:
    client.post("/account/tokens", NEW)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert "It has expired." in client.get("/account/tokens").content.decode()
