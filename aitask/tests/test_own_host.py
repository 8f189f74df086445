"""The site has a host name of its own on this machine, so that other ports never see its cookies."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Page
from pytest_django import Settings

from aitask import own_host
from aitask.tests.lab.app import App
from tasks.tests.api_client import Script
from tasks.tests.factories import make_user

OTHERS = ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "localhost", "LOCALHOST:9000"]


@pytest.fixture(autouse=True)
def names(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["aitask.localhost", "localhost", "127.0.0.1", "[::1]", "tasks.example.com"]


@pytest.mark.django_db
@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("path", ["/", "/login?next=/tasks/1", "/setup/x", "/admin/", "/static/x.css"])
def test_other_names_lead_to_the_same_page_there_without_a_cookie(host: str, path: str) -> None:
    answer = Client().get(path, headers={"host": host})
    port = host.rpartition(":")[2] if host[-1].isdecimal() else ""
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"http://aitask.localhost{f':{port}' if port else ''}{path}"
    assert not answer.cookies


@pytest.mark.django_db
@pytest.mark.parametrize("host", OTHERS)
def test_a_form_of_another_name_is_refused_with_the_address(host: str) -> None:
    answer = Client().post("/login", {"username": "a"}, headers={"host": host})
    assert answer.status_code == 421
    assert "aitask.localhost" in answer.content.decode()
    assert not answer.cookies


@pytest.mark.django_db
@pytest.mark.parametrize("host", OTHERS)
def test_scripts_use_the_api_and_the_health_check_at_all_names(host: str) -> None:
    token = Script(make_user()).token
    headers = {"host": host, "Authorization": f"Bearer {token}"}
    assert Client().get("/api/tasks", headers=headers).status_code == 200
    assert Client().get("/api/tasks", headers={"host": host}).status_code == 401
    assert Client().get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.django_db
def test_a_session_of_an_earlier_version_is_ended_there() -> None:
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    assert Session.objects.exists()
    assert client.get("/api/tasks", headers={"host": "127.0.0.1:8000"}).status_code == 401
    answer = client.get("/", headers={"host": "127.0.0.1:8000"})
    assert answer.cookies[django_settings.SESSION_COOKIE_NAME]["max-age"] == 0
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_it_is_an_ordinary_page_at_its_own_name() -> None:
    assert Client().get("/login", headers={"host": "aitask.localhost:8000"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hosts", "origins"),
    [
        (["tasks.example.com", "127.0.0.1"], []),
        (["aitask.localhost", "127.0.0.1"], ["https://tasks.example.com"]),
        (["localhost", "127.0.0.1"], []),
    ],
)
def test_a_site_with_names_of_its_own_leads_nobody_away(
    settings: Settings, hosts: list[str], origins: list[str]
) -> None:
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = hosts, origins
    assert not own_host.is_used()
    assert Client().get("/login", headers={"host": "127.0.0.1:8000"}).status_code == 200


class DevServer:
    """A server on another port, as an agent may start one: it notes the cookies that it is sent."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers.get("Cookie") or "")
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<title>dev</title>")

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def dev_server() -> Iterator[DevServer]:
    made = DevServer()
    yield made
    made.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "app.localhost"])
def test_a_dev_server_on_another_port_never_sees_the_session(
    page: Page, app: App, dev_server: DevServer, name: str
) -> None:
    """The user comes by the old address, is logged in at ours, and looks at the dev server."""
    page.goto(f"{app.url}/workspaces")
    assert page.url == f"{app.site}/workspaces"
    assert any("session" in each["name"] for each in page.context.cookies())
    page.goto(f"http://{name}:{dev_server.port}/")
    assert page.title() == "dev"
    assert set(dev_server.seen) == {""}
    assert not SimpleCookie(dev_server.seen[0])
