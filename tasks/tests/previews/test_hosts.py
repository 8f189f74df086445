"""Which host names are previews, and who may call whom."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from aitask.lib import preview_hosts
from aitask.lib.origin import is_own_origin

LOCAL = "t12-5173.preview.localhost:8000"


def test_a_name_has_the_number_of_the_task_and_the_port() -> None:
    host = preview_hosts.parse([b"T12-5173.Preview.localhost:8000"])
    assert host is not None
    assert (host.whose, host.port, host.name) == ("t12", 5173, LOCAL)
    assert host.origin == f"http://{LOCAL}"


@pytest.mark.parametrize(
    "name",
    [
        "t12-5173.preview.localhost.evil.com",
        "t12-5173.preview.localhost.",
        "t12-5173.preview.localhost.:8000",
        "x.t12-5173.preview.localhost",
        "t12-5173.evil.preview.localhost",
        "t12-5173preview.localhost",
        "12-5173.preview.localhost",
        "x12-5173.preview.localhost",
        "tw12-5173.preview.localhost",
        "t012-5173.preview.localhost",
        "t12-65536.preview.localhost",
        "t12-0.preview.localhost",
        "t12-05173.preview.localhost",
        "t12-5173.preview.localhost:0",
        "t12-5173.preview.localhost:99999",
        "t12-5173.preview.localhost:80:80",
        "t12-5173.preview.localhost@aitask.localhost",
        "t12-5173.preview.localhost/",
        "t\u0661-5173.preview.localhost",
        "preview.localhost",
        "aitask.localhost",
        "[::1]",
        "",
    ],
)
def test_nothing_else_is_a_preview(name: str) -> None:
    assert preview_hosts.parse([name.encode()]) is None


def test_two_hosts_are_no_preview() -> None:
    assert preview_hosts.parse([LOCAL.encode(), LOCAL.encode()]) is None
    assert preview_hosts.any_below([b"aitask.localhost", LOCAL.encode()])


@pytest.mark.parametrize(
    "name",
    ["preview.localhost", "x.preview.localhost:8000", "T1-2.PREVIEW.LOCALHOST.", " a.preview.localhost"],
)
def test_what_looks_like_a_preview_never_reaches_the_app(name: str, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = [".localhost"]
    assert preview_hosts.is_below(name)
    assert Client().get("/login", headers={"host": name.strip()}).status_code == 421


def test_the_domain_of_a_proxy_is_a_preview_too(settings: Settings) -> None:
    settings.PREVIEW_DOMAIN = "preview.example.com"
    host = preview_hosts.parse([b"t3-80.preview.example.com"])
    assert host is not None
    assert host.origin == "https://t3-80.preview.example.com"
    assert not preview_hosts.is_below("example.com")
    assert not preview_hosts.is_below("mypreview.example.com")


def test_pages_of_previews_can_not_call_the_app(settings: Settings) -> None:
    """Even if a star in the settings includes their names."""
    settings.PREVIEW_DOMAIN = "preview.example.com"
    settings.ALLOWED_HOSTS = [".example.com"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com"]
    foreign = "https://t3-80.preview.example.com"
    answer = Client().post("/login", headers={"host": "tasks.example.com", "origin": foreign})
    assert answer.status_code == 403
    assert "previews" in answer.content.decode()
    assert is_own_origin("https://other.example.com", "tasks.example.com")
    assert not is_own_origin(foreign, "tasks.example.com")
    assert not is_own_origin(foreign, "t3-80.preview.example.com")


@pytest.mark.parametrize("site", ["aitask.localhost:8000", "localhost:8000", "127.0.0.1:8000"])
def test_a_browser_on_this_machine_needs_no_domain(site: str) -> None:
    assert preview_hosts.name_at(site, "t12", 5173) == LOCAL


def test_another_browser_needs_a_domain(settings: Settings) -> None:
    assert preview_hosts.name_at("tasks.example.com", "t12", 5173) is None
    settings.PREVIEW_DOMAIN = "preview.example.com:8443"
    assert preview_hosts.name_at("tasks.example.com", "t12", 5173) == "t12-5173.preview.example.com:8443"


def test_pages_of_the_app_can_not_be_framed_or_embedded(rf: RequestFactory) -> None:
    answer = Client().get("/login", headers={"host": "aitask.localhost"})
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
