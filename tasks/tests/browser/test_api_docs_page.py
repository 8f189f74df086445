"""The API's page in a browser, under the content security policy of the site."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tasks.tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser


def test_calls_can_be_tried_from_the_page(open_one: OpenPage) -> None:
    """Reading, and writing, which needs the CSRF token. The page fails on any breach of the policy."""
    page = open_one("/api/docs")
    page.set_default_timeout(60_000)  # its scripts draw the whole API after the first click
    read, write = page.locator(".opblock-get").first, page.locator(".opblock-post").first
    for block in (read, write):
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
    write.locator("textarea").fill('{"name": "tried out", "repo_path": "/srv/tried"}')
    for block, status in ((write, "201"), (read, "200")):
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(status)
    expect(read.locator(".live-responses-table")).to_contain_text('"/srv/tried"')


def test_the_page_follows_the_theme(open_one: OpenPage) -> None:
    page = open_one("/api/docs", scheme="dark")
    expect(page.locator("html.dark-mode")).to_be_attached()
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    expect(page.locator("html[data-ready]:not(.dark-mode)")).to_be_attached()
    page.evaluate("localStorage.removeItem('theme')")
