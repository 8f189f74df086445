"""The agent's list, its background work and its sub-agents on the pages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tasks.tests.browser.conftest import OpenPage
from tasks.tests.browser.site import Site

pytestmark = pytest.mark.browser
SCENE = "from tasks.tests import work_scene as w\n"


@pytest.fixture(scope="module")
def pk(site: Site) -> int:
    build = "w.build(Workspace.objects.get(name='storefront'), 'Work beside')"
    return int(site.do(f"{SCENE}result = {build}.task_id"))


def test_a_sub_agent_is_nested_below_its_call(site: Site, open_one: OpenPage, pk: int) -> None:
    page = open_one(f"/tasks/{pk}")
    call = page.locator(".tool", has_text="Read the tests").first
    expect(call.locator(":scope > summary .work")).to_contain_text("15.8k tokens · 1 tool call")
    call.locator(":scope > summary").click()
    nested = call.locator(".nested")
    expect(nested).to_contain_text("I look for tests of orders.")
    nested.locator(".tool > summary").click()
    expect(nested).to_contain_text("tests/test_orders.py:12")
    expect(page.locator("#rows > .ev.sub:visible")).to_have_count(0)


def test_unknown_lines_are_one_entry_also_when_more_come(site: Site, open_one: OpenPage, pk: int) -> None:
    page = open_one(f"/tasks/{pk}")
    entry = page.locator("#rows .raw:visible")
    expect(entry).to_have_count(1)
    expect(entry.locator("summary")).to_contain_text("10 lines of raw output: 9 telemetry, 1 new_thing")
    raw = "{'kind': 'raw', 'line': {}, 'type': 'new_thing'}"
    site.do(f"{SCENE}w.save(Run.objects.get(task={pk}), {raw}, {raw})")
    expect(entry.locator("summary")).to_contain_text("9 telemetry, 3 new_thing")
    expect(entry).to_have_count(1)
    site.do(f"{SCENE}Run.objects.filter(task={pk}).update(raw_lines={{'telemetry': 9, 'new_thing': 1}})")


def test_the_list_and_the_background_stay_as_the_user_has_folded_them(
    site: Site, open_one: OpenPage, pk: int
) -> None:
    page = open_one(f"/tasks/{pk}")
    expect(page.locator("#steps > summary")).to_contain_text("3/6")
    expect(page.locator("#steps > summary")).to_contain_text("Write the tests")
    page.locator("#steps > summary").click()
    expect(page.locator("#works li")).to_have_count(2)
    site.do(f"{SCENE}w.save(Run.objects.get(task={pk}), w.progress(4), w.work('b9', 'command', 'make'))")
    expect(page.locator("#steps > summary")).to_contain_text("4/6")
    expect(page.locator("#steps li").first).to_be_visible()
    expect(page.locator("#works li")).to_have_count(3)
    ended = "w.work('b9', 'command', 'make', 'completed')"
    site.do(f"{SCENE}w.save(Run.objects.get(task={pk}), w.progress(3), {ended})")
    expect(page.locator("#works li")).to_have_count(2)


def test_the_card_shows_the_step_at_work(site: Site, open_one: OpenPage, pk: int) -> None:
    page = open_one("/")
    expect(page.locator(f"#card-{pk} .steps")).to_have_text("3/6 · Write the tests", use_inner_text=True)
