"""Chromium, driven by Playwright, without network requests of its own."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from . import processes
from .tools import PROJECT, require_tool

ARTIFACTS = PROJECT / "test-artifacts"
# Without these, Chromium contacts its vendor at every start, many times a second if that fails.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
TIMEOUT_MS = 10_000
CLOSE_SECONDS = 15.0
"""A browser that takes longer than this to close a page counts as hanging."""
MARK = "AITASK_LAB_BROWSER"


class Chromium:
    """A headless browser. If it hangs, it is killed, and the next page starts another one.

    The headless shell is Chromium without windows. It takes half the time, but shows no notifications.
    """

    def __init__(self, playwright: Playwright, *, has_notifications: bool = False) -> None:
        self._playwright = playwright
        self._programs = ("chromium",) if has_notifications else ("chromium-headless-shell", "chromium")
        self._mark = ""
        self._browser: Browser | None = None

    def new_context(self, **options: Any) -> BrowserContext:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._launch()
        return self._browser.new_context(**options)

    def close_context(self, context: BrowserContext) -> None:
        with self._killed_if_it_hangs():
            context.close()

    def close(self) -> None:
        if self._browser is not None:
            with self._killed_if_it_hangs():
                self._browser.close()

    def pids(self) -> list[int]:
        return processes.with_variable(MARK, self._mark)

    def _launch(self) -> Browser:
        program = require_tool(*self._programs)
        self._mark = uuid.uuid4().hex  # another one each time: the processes of a killed browser end slowly
        environment: dict[str, str | float | bool] = {**os.environ, MARK: self._mark}
        return self._playwright.chromium.launch(executable_path=program, args=FLAGS, env=environment)

    @contextmanager
    def _killed_if_it_hangs(self) -> Iterator[None]:
        """Kill the browser if closing takes too long: Playwright has no timeout for it."""
        hangs, mark = threading.Event(), self._mark

        def kill() -> None:
            hangs.set()
            processes.end_all_with_variable(MARK, mark)

        timer = threading.Timer(CLOSE_SECONDS, kill)
        timer.start()
        try:
            yield
        except Error:
            if not hangs.is_set():
                raise
        finally:
            timer.cancel()


@contextmanager
def open_browser(*, has_notifications: bool = False) -> Iterator[Chromium]:
    """Open a browser. Playwright runs an event loop in this thread until it is closed."""
    with sync_playwright() as playwright:
        made = Chromium(playwright, has_notifications=has_notifications)
        with contextlib.closing(made) as browser:
            yield browser


@contextmanager
def open_page(
    browser: Chromium,
    base_url: str,
    *,
    width: int = 1280,
    height: int = 800,
    color_scheme: Literal["light", "dark"] = "light",
    zone: str | None = None,
) -> Iterator[Page]:
    """Open a page in its own context, in a time zone other than this machine's.

    An error of a script on the page fails the test.
    """
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": width, "height": height},
        color_scheme=color_scheme,
        timezone_id=zone,
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on(
        "console", lambda message: failures.append(message.text) if _breaks_policy(message.text) else None
    )
    try:
        yield page
        assert not failures, f"the page's scripts failed: {failures}"
    finally:
        browser.close_context(context)


def press(page: Page, *keys: str) -> None:
    """Press keys one after another, once the page's scripts have been loaded."""
    page.locator("html[data-ready]").wait_for(state="attached")
    for key in keys:
        page.keyboard.press(key)


def _breaks_policy(text: str) -> bool:
    return "Content Security Policy" in text


def screenshot(page: Page, name: str) -> Path:
    """Save a screenshot of the whole page in `test-artifacts/`, unless the page is too busy for it."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    with contextlib.suppress(Error):
        page.screenshot(path=path, full_page=True)
    return path
