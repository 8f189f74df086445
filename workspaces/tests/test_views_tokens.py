"""API tokens: shown once, kept as a digest, revoked by their owner alone."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tasks.tests.factories import make_user
from tasks.tests.people import browser_of
from workspaces.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return browser_of(make_user("ada"))


def test_a_new_token_is_shown_this_once(client: Client) -> None:
    made = client.post("/account/tokens", {"name": "nightly"})
    token = re.search(r"aitask_[\w-]{40,}", made.content.decode())
    assert token
    assert ApiToken.objects.get().digest == ApiToken.digest_of(token[0])
    assert "no-store" in made.headers["Cache-Control"]
    again = client.get("/account/tokens").content.decode()
    assert "nightly" in again
    assert token[0] not in again


def test_the_new_token_opens_the_api(client: Client) -> None:
    page = client.post("/account/tokens", {"name": "nightly"}).content.decode()
    token = re.search(r'data-copy="(aitask_[\w-]+)"', page)
    assert token
    answer = Client().get("/api/tasks", headers={"Authorization": f"Bearer {token[1]}"})
    assert answer.status_code == 200


def test_a_token_needs_a_name(client: Client) -> None:
    assert client.post("/account/tokens", {"name": " "}).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_owner(client: Client) -> None:
    client.post("/account/tokens", {"name": "nightly"})
    path = f"/account/tokens/{ApiToken.objects.get().pk}/revoke"
    assert browser_of(make_user()).post(path).status_code == 404
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 302
    assert not ApiToken.objects.exists()


def test_tokens_of_others_are_not_listed(client: Client) -> None:
    ApiToken.issue(user_id=make_user().pk, name="not yours")
    assert "not yours" not in client.get("/account/tokens").content.decode()
