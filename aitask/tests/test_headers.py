"""What every answer tells the browser, and what nobody gets without a login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from aitask.api.middleware import URLS

PUBLIC = {"login", "favicon", "health", "setup"}
"""Addresses that answer strangers: the last one only those who hold the one-time link."""

STAND_INS = {
    "int": "1",
    "str": "x",
    "slug": "x",
    "path": "x",
    "uuid": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
}


def addresses(
    patterns: list[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, str | None]]:
    """Every address of the site with its name; arguments are filled with something."""
    for pattern in patterns:
        route = filled(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, prefix + route)
        else:
            yield prefix + route, pattern.name


def filled(pattern: object) -> str:
    if not isinstance(pattern, RoutePattern):  # the admin's catch-all
        return "unknown/"
    route = str(pattern)
    for name, converter in pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        route = route.replace(f"<{kind}:{name}>", STAND_INS[kind]).replace(f"<{name}>", "x")
    assert "<" not in route, route
    return route


ALL = sorted({(path, name or "") for path, name in addresses(get_resolver(URLS).url_patterns)})


def test_the_walk_finds_the_pages() -> None:
    names = {name for _, name in ALL}
    assert {"board", "task", "workspaces", "logout", "index", "openapi-view"} <= names


@pytest.mark.django_db
def test_a_stranger_gets_nothing(client: Client) -> None:
    """All addresses in one test: four hundred of them would take a minute."""
    private = [path for path, name in ALL if name not in PUBLIC and path != "/admin/login/"]
    asked = [(path, ask(path)) for path in private for ask in (client.get, client.post)]
    assert [(path, answer.status_code) for path, answer in asked if not is_refused(answer)] == []


def is_refused(answer: HttpResponseBase) -> bool:
    if answer.status_code == 302:
        return "login" in answer.headers["Location"]
    return answer.status_code in (401, 403, 404, 405)


def test_pages_that_name_no_icon_get_that_of_the_app(client: Client) -> None:
    assert "aitask/icon" in client.get("/favicon.ico").headers["Location"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/login", "/", "/admin/", "/healthz", "/nowhere", "/static/aitask/base.css"]
)
def test_every_answer_carries_the_security_headers(admin_client: Client, path: str) -> None:
    headers = admin_client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login", "/", "/admin/"])
def test_pages_run_only_scripts_of_their_own(admin_client: Client, path: str) -> None:
    answer = admin_client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_cookies_can_not_be_read_by_scripts_or_sent_by_other_sites(client: Client) -> None:
    User.objects.create_user("ada", password="correct horse")
    answer = client.post("/login", {"username": "ada", "password": "correct horse"})
    assert answer.status_code == 302
    for cookie in answer.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert not cookie["secure"]  # the test client speaks plain http


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/workspaces", "/admin/", "/account/tokens", "/api/tasks", "/nowhere"])
def test_no_cache_keeps_what_a_user_was_shown(admin_client: Client, path: str) -> None:
    assert "no-store" in admin_client.get(path).headers["Cache-Control"]


@pytest.mark.django_db
def test_not_even_superusers_schedule_functions(admin_client: Client) -> None:
    assert admin_client.get("/admin/django_q/schedule/add/").status_code == 404


@pytest.mark.django_db
def test_a_form_of_another_site_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login", {"username": "ada", "password": "x"}).status_code == 403


def test_a_name_that_is_not_ours_is_refused(client: Client) -> None:
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400


def test_versioned_libraries_are_kept_by_browsers_and_our_own_files_asked_for_again(client: Client) -> None:
    library = client.get("/static/vendor/htmx-4.0.1/htmx.min.js")
    assert "immutable" in library.headers["Cache-Control"]
    assert client.get("/static/aitask/base.css").headers["Cache-Control"] == "max-age=0, public"


@pytest.mark.django_db
class TestCompression:
    """A page that another site requests is not compressed: its size could tell what is on it."""

    def page(self, admin_client: Client, **headers: str) -> HttpResponseBase:
        return admin_client.get("/", headers={"Accept-Encoding": "gzip, br", **headers})

    @pytest.mark.parametrize("site", ["", "same-origin", "none"])
    def test_pages_are_compressed_for_our_pages_and_the_user(self, admin_client: Client, site: str) -> None:
        response = self.page(admin_client, **({"Sec-Fetch-Site": site} if site else {}))
        assert response.headers["Content-Encoding"] == "gzip"
        assert "Sec-Fetch-Site" in response.headers["Vary"]

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "something new"])
    def test_they_are_not_for_other_sites_and_other_ports(self, admin_client: Client, site: str) -> None:
        response = self.page(admin_client, **{"Sec-Fetch-Site": site})
        assert "Content-Encoding" not in response.headers

    def test_who_can_not_read_it_gets_it_plain(self, admin_client: Client) -> None:
        assert "Content-Encoding" not in admin_client.get("/").headers
