"""Completing commands and files in the boxes for prompts and messages: by keyboard, by touch, on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press, screenshot
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OpenPage = Callable[..., Page]
LIST = "[role=listbox]:not(#palette-list)"
OPTION = f"{LIST} [role=option]"
COMMANDS = [
    ("/deploy", "Deploy the site to a server, with everything that belongs to it (project)", "<where>"),
    ("/code-review", "Review the current diff for correctness bugs", "[low|medium|high]"),
    ("/debug", "Help to diagnose an issue", ""),
]
FILES = [("src/main.py", "@src/main.py"), ("a b.txt", '@"a b.txt"'), ("src/deep/er/main_test.py", "@x")]


def answered(page: Page, *, pending: int = 0) -> list[dict[str, list[str]]]:
    """Answer for the host; the first `pending` answers say that it has not answered yet."""
    asked: list[dict[str, list[str]]] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        asked.append(query)
        sign, word = query.get("sign", [""])[0], query.get("q", [""])[0]
        items = [
            {"text": text, "insert": text, "detail": detail, "hint": hint}
            for text, detail, hint in (COMMANDS if sign == "/" else [])
            if text.startswith(f"/{word}")
        ] + [
            {"text": text, "insert": insert, "detail": "", "hint": ""}
            for text, insert in (FILES if sign == "@" else [])
            if word in text
        ]
        waits = bool(sign) and len([each for each in asked if "sign" in each]) <= pending
        body = {"items": [] if waits else items, "pending": waits, "note": ""}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

    page.route("**/completions?*", answer)
    return asked


def task_page(site: Site, open_one: OpenPage, *, pending: int = 0, **options: Any) -> Page:
    """A task whose run has ended."""
    number = site.do(
        "workspace = Workspace.objects.first()\n"
        "task = factories.make_task(title='Complete me', workspace=workspace, status='review')\n"
        "factories.make_run(task=task, state='succeeded', cli_session='abc')\n"
        "result = task.pk"
    )
    page = open_one(f"/tasks/{number}", **options)
    answered(page, pending=pending)
    return page


def tap(page: Page, target: Locator) -> None:
    """Touch the middle of an element, as a finger does."""
    box = target.bounding_box()
    assert box
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_command_is_chosen_with_the_keyboard(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    press(page, "i")
    box = page.locator("#say-text")
    box.press_sequentially("/de")
    expect(page.locator(OPTION)).to_have_count(2)
    expect(box).to_have_attribute("aria-controls", "completions")
    first, second = page.locator(OPTION).all()
    expect(first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", str(first.get_attribute("id")))
    page.keyboard.press("ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", str(second.get_attribute("id")))
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    screenshot(page, "complete-task-1440")
    page.keyboard.press("Enter")
    expect(box).to_have_value("/deploy ")
    expect(page.locator(LIST)).to_have_count(0)
    assert box.get_attribute("role") is None


def test_tab_completes_a_file_in_the_middle(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    box = page.locator("#say-text")
    box.fill("Look at  and mend it")
    box.evaluate("box => box.setSelectionRange(8, 8)")
    box.press_sequentially("@main")
    expect(page.locator(OPTION)).to_have_count(2)
    page.keyboard.press("Tab")
    expect(box).to_have_value("Look at @src/main.py and mend it")
    expect(box).to_be_focused()
    page.keyboard.press("Control+z")
    expect(box).to_have_value("Look at @main and mend it")


def test_escape_closes_the_list_and_only_that(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    box = page.locator("#say-text")
    box.press_sequentially("see @mai")
    expect(page.locator(OPTION)).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator(LIST)).to_have_count(0)
    expect(box).to_be_focused()
    box.press_sequentially("n")
    page.wait_for_timeout(300)
    expect(page.locator(LIST)).to_have_count(0)
    page.keyboard.press("Enter")
    expect(box).to_have_value("")  # it was sent


def test_enter_sends_what_is_written_in_full(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    sent: list[str | None] = []

    def take(route: Route) -> None:
        sent.append(route.request.post_data)
        route.fulfill(status=204)

    page.route("**/say", take)
    box = page.locator("#say-text")
    box.press_sequentially("/debug")
    expect(page.locator(OPTION)).to_have_count(1)
    page.keyboard.press("Enter")
    expect(box).to_have_value("")
    assert sent == ["text=%2Fdebug&when=now"]


def test_other_slashes_and_signs_open_nothing(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    asked = answered(page)
    box = page.locator("#say-text")
    box.press_sequentially("see /de a@main.py or /etc/passwd")
    box.press("Shift+Enter")
    box.press_sequentially("/de")
    page.wait_for_timeout(300)
    expect(page.locator(LIST)).to_have_count(0)
    assert not [query for query in asked if "sign" in query]


def test_letters_that_are_still_composed_are_left_alone(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one)
    box = page.locator("#say-text")
    box.press_sequentially("@main")
    expect(page.locator(OPTION)).to_have_count(2)
    taken = box.evaluate(
        "box => !box.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: 'ArrowDown', isComposing: true, bubbles: true, cancelable: true}))"
    )
    assert not taken
    expect(page.locator(OPTION).first).to_have_attribute("aria-selected", "true")


def test_a_host_that_has_not_answered_is_asked_again(site: Site, open_one: OpenPage) -> None:
    page = task_page(site, open_one, pending=3)
    page.locator("#say-text").press_sequentially("/")
    expect(page.locator(".completions p")).to_have_text("Asking the host…")
    expect(page.locator(OPTION)).to_have_count(3)


def test_a_new_task_completes_for_its_workspace_and_cli(open_one: OpenPage) -> None:
    page = open_one()
    asked = answered(page)
    press(page, "n")
    box = page.locator("#new-task textarea")
    expect(box).to_be_focused()
    box.press_sequentially("First\n---\n/de")
    expect(page.locator(OPTION)).to_have_count(2)
    assert asked[-1]["backend"] == [page.locator("#new-task [name=backend]").input_value()]
    page.keyboard.press("Escape")
    expect(page.locator("#new-task")).to_be_visible()
    box.press_sequentially("b @a")
    page.locator(OPTION).filter(has_text="a b.txt").click()
    expect(box).to_have_value('First\n---\n/deb @"a b.txt" ')


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_an_option_is_chosen_by_touch(site: Site, open_one: OpenPage, scheme: str) -> None:
    page = task_page(site, open_one, width=390, height=844, scheme=scheme)
    box = page.locator("#say-text")
    box.click()
    box.press_sequentially("/")
    expect(page.locator(OPTION)).to_have_count(3)
    shown = page.locator(".completions").bounding_box()
    assert shown
    assert shown["x"] >= 0
    assert shown["x"] + shown["width"] <= 390
    assert shown["y"] >= 0
    screenshot(page, f"complete-phone-{scheme}")
    assert_no_barriers(page)
    tap(page, page.locator(OPTION).nth(1))
    expect(box).to_have_value("/code-review ")
    expect(box).to_be_focused()
