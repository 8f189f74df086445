"""Who may call the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tasks.tests.api_client import Script
from tasks.tests.factories import make_task, make_user, make_workspace
from workspaces.models import ApiToken

pytestmark = pytest.mark.django_db


def bearer(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def csrf_of(client: Client) -> str:
    """The CSRF token that the docs page hands to its script."""
    client.get("/api/docs")
    return client.cookies[settings.CSRF_COOKIE_NAME].value


class TestTokens:
    def test_a_valid_token_is_let_in(self) -> None:
        assert bearer(Script(make_user()).token).get("/api/tasks").status_code == 200

    @pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Bearer", "Basic dTpw", "nonsense"])
    def test_a_wrong_header_is_401_in_json(self, header: str) -> None:
        response = Client(headers={"Authorization": header}).get("/api/tasks")
        assert (response.status_code, list(response.json())) == (401, ["detail"])

    @pytest.mark.parametrize("path", ["/api/tasks", "/api/tasks/1", "/api/nonsense", "/api/openapi.json"])
    def test_no_token_is_401_and_no_redirect(self, path: str) -> None:
        response = Client().get(path)
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")

    def test_a_write_without_anything_is_401_rather_than_a_csrf_failure(self) -> None:
        assert Client(enforce_csrf_checks=True).post("/api/tasks").status_code == 401

    def test_a_revoked_token_is_401(self) -> None:
        script = Script(make_user())
        ApiToken.objects.all().delete()
        assert "revoked" in script.get("/tasks")["detail"]
        assert script.status == 401

    def test_a_token_of_somebody_inactive_is_401(self) -> None:
        script = Script(make_user(is_active=False))
        script.get("/tasks")
        assert script.status == 401

    def test_a_wrong_token_is_refused_even_with_a_session(self) -> None:
        client = bearer("wrong")
        client.force_login(make_user())
        assert client.get("/api/tasks").status_code == 401

    def test_a_write_by_token_needs_no_csrf_token(self) -> None:
        script = Script(make_user())
        workspace = make_workspace(owner=script.user)
        client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {script.token}"})
        body = {"workspace": workspace.pk, "title": "x"}
        assert client.post("/api/tasks", body, content_type="application/json").status_code == 201

    def test_the_digest_alone_does_not_open(self) -> None:
        digest = ApiToken.digest_of(Script(make_user()).token)
        assert bearer(digest).get("/api/tasks").status_code == 401


class TestLastUse:
    def used(self) -> object:
        return ApiToken.objects.get().last_used_at

    def test_it_is_noted(self) -> None:
        Script(make_user()).get("/tasks")
        assert self.used() is not None

    def test_it_is_noted_at_most_once_a_minute(self) -> None:
        script = Script(make_user())
        just_now = timezone.now() - timedelta(seconds=50)
        ApiToken.objects.update(last_used_at=just_now)
        script.get("/tasks")
        assert self.used() == just_now

    def test_it_is_noted_again_after_a_minute(self) -> None:
        script = Script(make_user())
        before = timezone.now() - timedelta(seconds=70)
        ApiToken.objects.update(last_used_at=before)
        script.get("/tasks")
        assert self.used() != before


class TestSessions:
    @pytest.fixture
    def client(self) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(make_user("anna", is_superuser=True))
        return client

    def test_a_session_may_read(self, client: Client) -> None:
        assert client.get("/api/tasks").status_code == 200

    def test_a_write_needs_the_csrf_token(self, client: Client) -> None:
        task = make_task()
        response = client.delete(f"/api/tasks/{task.pk}")
        assert (response.status_code, response.json()) == (403, {"detail": "CSRF check Failed"})

    def test_a_write_with_the_csrf_token_is_done(self, client: Client) -> None:
        task = make_task()
        headers = {"X-CSRFToken": csrf_of(client)}
        assert client.delete(f"/api/tasks/{task.pk}", headers=headers).status_code == 204


class TestCommand:
    def test_it_prints_a_token_that_works_and_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        make_user("anna")
        call_command("create_api_token", "anna", "--name", "nightly")
        printed = capsys.readouterr().out
        assert bearer(printed.strip()).get("/api/tasks").status_code == 200
        assert printed == f"{printed.strip()}\n"
        assert ApiToken.objects.get().name == "nightly"

    def test_the_token_itself_is_not_stored(self, capsys: pytest.CaptureFixture[str]) -> None:
        make_user("anna")
        call_command("create_api_token", "anna")
        token = capsys.readouterr().out.strip()
        assert token not in str(ApiToken.objects.values().get())

    def test_an_unknown_user_is_named(self) -> None:
        with pytest.raises(CommandError, match="no active user 'berta'"):
            call_command("create_api_token", "berta")

    def test_a_name_too_long_for_the_row_is_refused(self) -> None:
        make_user("anna")
        with pytest.raises(CommandError, match="1 to 100 characters"):
            call_command("create_api_token", "anna", "--name", "x" * 101)
