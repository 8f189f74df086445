"""The application of the lab starts as a user starts it, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from aitask.tests.lab import processes
from aitask.tests.lab.app import App, Role
from aitask.tests.lab.axe import findings
from aitask.tests.lab.client import ApiClient, ApiError
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """One that nobody else has used."""
    with App() as application:
        application.up()
        yield application


def test_the_administrator_may_use_the_api(app: App) -> None:
    assert app.api.get("/api/workspaces") == []


def test_a_wrong_token_is_refused(app: App) -> None:
    with pytest.raises(ApiError, match="401"):
        ApiClient(app.url, "wrong").get("/api/workspaces")


@pytest.mark.parametrize("role", ["web", "worker", "follower"])
def test_a_killed_role_comes_back(app: App, role: Role) -> None:
    old = app.kill(role)
    app.wait_for_restart(role, old)
    assert processes.is_alive(app.pid(role))


def test_nothing_is_left_after_a_stop() -> None:
    with App() as app:
        app.up()
        wait_for(lambda: len(app.leftovers()) >= 4, 30, "all roles")
        assert app.stop() == 0
        assert app.leftovers() == []


@pytest.mark.browser
def test_a_browser_is_logged_in(page: Page, app: App) -> None:
    page.goto("/admin/")
    assert page.get_by_role("heading", name="Site administration").is_visible()
    assert page.url == f"{app.site}/admin/"


@pytest.mark.browser
def test_axe_finds_what_is_wrong_with_a_page(page: Page) -> None:
    page.goto("/healthz")
    page.set_content("<html><body><img src='data:,'></body></html>")
    assert any(finding.startswith("image-alt") for finding in findings(page))
