"""Which Origin may open a socket at which Host."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from aitask.lib.origin import is_own_origin


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "tasks.example.com"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://door.example.com", "https://*.trusted.example"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://tasks.example.com", "tasks.example.com"),
        ("http://tasks.example.com", "tasks.example.com:80"),
        ("https://tasks.example.com", "tasks.example.com"),
        ("https://tasks.example.com:443", "tasks.example.com"),
        ("https://door.example.com", "127.0.0.1:8000"),
        ("https://any.trusted.example", "127.0.0.1:8000"),
    ],
)
def test_our_own_and_trusted_pages_may(origin: str, host: str) -> None:
    assert is_own_origin(origin, host)


@pytest.mark.parametrize("host", ["tasks.example.com", "localhost:8000", "tasks.example.com:80"])
def test_a_site_with_https_only_takes_no_page_without(settings: Settings, host: str) -> None:
    settings.SESSION_COOKIE_SECURE = True
    assert not is_own_origin(f"http://{host}", host)
    assert is_own_origin("https://door.example.com", host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:3000", "localhost:8000"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("http://evil.example:8000", "localhost:8000"),
        ("http://evil.example:8000", "evil.example:8000"),
        ("https://tasks.example.com", "tasks.example.com:8000"),
        ("http://door.example.com", "127.0.0.1:8000"),
        ("https://trusted.example", "127.0.0.1:8000"),
        ("https://door.example.com.evil.example", "127.0.0.1:8000"),
        ("http://localhost:8000@evil.example", "localhost:8000"),
        ("null", "localhost:8000"),
        ("", "localhost:8000"),
        ("file://", "localhost:8000"),
        ("http://localhost:8000", ""),
        ("http://[", "localhost:8000"),
    ],
)
def test_foreign_pages_may_not(origin: str, host: str) -> None:
    assert not is_own_origin(origin, host)
