"""The settings of a browser: its theme, and what it notifies of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import press

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
BRIGHTNESS = """() => {
    const elements = [document.body, document.documentElement];
    const colours = elements.map(one => getComputedStyle(one).backgroundColor);
    const [red, green, blue] = colours.find(one => one !== "rgba(0, 0, 0, 0)").match(/\\d+/g).map(Number);
    return (red + green + blue) / 3;
}"""


def is_dark(page: Page) -> bool:
    return bool(page.evaluate(BRIGHTNESS) < 128)


@pytest.mark.parametrize(("scheme", "other"), [("light", "Dark"), ("dark", "Light")])
def test_a_chosen_theme_holds_on_every_page_also_in_the_admin(
    open_one: OpenPage, scheme: str, other: str
) -> None:
    page = open_one("/", scheme=scheme)
    assert is_dark(page) == (scheme == "dark")
    press(page, "g")
    press(page, "s")
    page.wait_for_url("**/account/settings")
    expect(page.get_by_label("Same as the system")).to_be_checked()
    page.get_by_label(other, exact=True).check()
    assert is_dark(page) == (other == "Dark")
    for path in ("/", "/admin/"):
        page.goto(path)
        assert is_dark(page) == (other == "Dark"), path
    page.goto("/account/settings")
    page.get_by_label("Same as the system").check()
    assert is_dark(page) == (scheme == "dark")


def test_other_pages_of_the_browser_follow_at_once(open_one: OpenPage) -> None:
    page = open_one("/account/settings")
    other = page.context.new_page()
    other.goto("/usage")
    page.get_by_label("Dark", exact=True).check()
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    assert is_dark(other)
    page.get_by_label("Same as the system").check()


def open_with_permission(open_one: OpenPage, permission: str) -> Page:
    page = open_one("/account/settings")
    page.add_init_script(f"window.Notification = class {{ static permission = '{permission}'; }}")
    page.reload()
    expect(page.locator("html[data-ready]")).to_be_attached()
    return page


def test_notifications_that_the_browser_refuses_are_not_shown_as_chosen(open_one: OpenPage) -> None:
    page = open_with_permission(open_one, "denied")
    page.get_by_label("an agent needs me").click()
    expect(page.locator("#toasts")).to_contain_text("Notifications are blocked for this site.")
    expect(page.get_by_label("an agent needs me")).not_to_be_checked()


def test_notifications_that_the_browser_allows_are_kept(open_one: OpenPage) -> None:
    page = open_with_permission(open_one, "granted")
    page.get_by_label("a run fails").check()
    page.get_by_label("with a sound").check()
    page.wait_for_function("JSON.parse(localStorage['aitask-attention']).sound")
    page.reload()
    expect(page.get_by_label("a run fails")).to_be_checked()
    expect(page.get_by_label("with a sound")).to_be_checked()
    expect(page.get_by_label("an agent needs me")).not_to_be_checked()
