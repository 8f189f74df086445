"""Debian's Chromium, driven by playwright, with nothing of its own on the network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Error, Page, sync_playwright

from .tools import PROJECT, require_tool

ARTIFACTS = PROJECT / "test-artifacts"
# Without these Chromium calls home at every start, which a closed network refuses many times a second.
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


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless browser. Playwright keeps an event loop running in this thread until it closes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_tool("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    base_url: str,
    *,
    width: int = 1280,
    height: int = 800,
    color_scheme: Literal["light", "dark"] = "light",
    zone: str | None = None,
) -> Iterator[Page]:
    """A page in a context of its own; no zone is that of this machine.

    At the end no script may have failed: page errors fail the test.
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
        context.close()


def press(page: Page, *keys: str) -> None:
    """Press keys one after another, once the page's scripts listen."""
    page.locator("html[data-ready]").wait_for(state="attached")
    for key in keys:
        page.keyboard.press(key)


def _breaks_policy(text: str) -> bool:
    return "Content Security Policy" in text


def screenshot(page: Page, name: str) -> Path:
    """Save a picture of the whole page under `test-artifacts/`; a page too busy for it has none."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    with contextlib.suppress(Error):
        page.screenshot(path=path, full_page=True)
    return path
