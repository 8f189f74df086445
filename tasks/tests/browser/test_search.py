"""Finding anything by keyboard: everywhere, in one conversation, and with the palette."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
LONG = """
from tasks.runs.follower import store
task = factories.make_task(title='A long conversation about plinths', workspace=Workspace.objects.first())
run = factories.make_run(task=task, state='succeeded')
texts = [f'Step {n} of the work' for n in range(1, 901)]
texts[29] = 'The zeppelin is in **ratelimit.py**'
lines = [
    {'v': 1, 'seq': n, 'at': '2026-11-30T10:00:00+00:00', 'kind': 'text', 'text': text}
    for n, text in enumerate(texts, 1)
]
lines[49] |= {'kind': 'error', 'code': 'other', 'retrying': False}
lines[9] = {**lines[9], 'kind': 'message', 'id': 'm', 'by': 'web', 'text': 'Begin with the first plinth'}
store.save_events(run.pk, lines, start=0, end=1)
result = task.pk
"""


@pytest.fixture(scope="module")
def long_task(site: Site) -> int:
    return int(site.do(LONG))


def test_a_result_opens_the_conversation_at_its_place_far_above(long_task: int, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "/")
    page.keyboard.type("zeppelin")
    expect(page.locator("#everywhere")).to_contain_text("zeppelin")
    press(page, "Enter")
    expect(page.locator("#results mark")).to_have_text("zeppelin")
    press(page, "ArrowDown")
    press(page, "ArrowDown")
    press(page, "Enter")
    page.wait_for_url(re.compile(rf"/tasks/{long_task}\?at=1\.30$"))
    expect(page.locator(".is-found")).to_contain_text("zeppelin")
    expect(page.locator(".is-found")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Newest")).to_be_visible()


def test_enter_opens_the_first_result(long_task: int, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "g", "/")
    page.wait_for_url("**/search")
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.keyboard.type("zeppelin")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/tasks/{long_task}\?at=1\.30$"))


def test_a_conversation_is_searched_filtered_and_outlined(long_task: int, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{long_task}")
    press(page, "f")
    page.keyboard.type("step")
    status = page.locator("#find [data-status]")
    expect(status).to_have_text("898 of 898")
    press(page, "Enter")
    expect(status).to_have_text("1 of 898")
    expect(page.locator(".is-found")).to_have_text("Step 1 of the work")
    page.get_by_role("button", name="Errors").click()
    expect(status).to_have_text("1 of 1")
    expect(page.locator("#rows > .ev:visible")).to_have_count(1)
    assert_no_barriers(page)
    page.reload()
    expect(page.get_by_role("button", name="Errors")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Errors").click()
    page.get_by_role("button", name="Outline").click()
    page.get_by_role("button", name="Begin with the first plinth").click()
    expect(page.locator(".is-found")).to_contain_text("Begin with the first plinth")


def test_the_palette_goes_anywhere_by_keyboard(long_task: int, open_one: OpenPage) -> None:
    page = open_one("/usage")
    press(page, "Control+k")
    box = page.get_by_role("combobox", name="Task, page or command")
    expect(box).to_be_focused()
    page.keyboard.type("conversation plinth")
    option = page.get_by_role("option", name="A long conversation about plinths")
    expect(option).to_have_attribute("aria-selected", "true")
    assert_no_barriers(page)
    press(page, "Enter")
    page.wait_for_url(f"**/tasks/{long_task}")
    press(page, "Control+k")
    page.keyboard.type("edit")
    expect(page.get_by_role("option", name="Edit").first).to_be_visible()
    page.locator("#palette-list").get_by_role("option", name=re.compile("^Edit")).first.click()
    expect(page.locator("#edit-task")).to_be_visible()


def test_the_palette_leads_to_plans_and_graphs(site: Site, open_one: OpenPage) -> None:
    page = open_one("/usage")
    press(page, "Control+k")
    page.keyboard.type("graph of")
    expect(page.get_by_role("option", name="Graph of open tasks").first).to_be_visible()
    press(page, "Enter")
    page.wait_for_url("**/workspaces/*/graph")
