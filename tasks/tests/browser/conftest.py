"""One site and one browser for all browser tests of the pages; each test gets a page of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import Chromium, open_page, screenshot
from conftest import FAILED
from tasks.tests.browser.site import Site

OpenPage = Callable[..., Page]
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def open_one(request: pytest.FixtureRequest, site: Site, chromium: Chromium) -> Iterator[OpenPage]:
    """Opens a page, logged in; a failed test leaves a picture of each in `test-artifacts/`."""
    with ExitStack() as stack:
        pages: list[Page] = []

        def opened(
            path: str = "/",
            width: int = 1440,
            height: int = 900,
            scheme: Literal["light", "dark"] = "light",
            zone: str | None = None,
        ) -> Page:
            page = stack.enter_context(
                open_page(chromium, site.url, width=width, height=height, color_scheme=scheme, zone=zone)
            )
            pages.append(page)
            site.show(page, path)
            return page

        yield opened
        if request.node.stash.get(FAILED, False):
            name = re.sub(r"[^\w-]+", "-", request.node.name)
            for number, page in enumerate(pages):
                screenshot(page, f"{name}-{number}")
