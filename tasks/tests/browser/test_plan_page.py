"""A pasted list becomes several tasks, which are checked before they are created."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
LIST = """\
Keep the API.

- [x] Plan A old
- [ ] Plan A one
- [ ] Plan A two (after 2)
  more
- [ ] Plan A three
"""


def row(page: Page, number: int, name: str = "title") -> str:
    return page.locator("#plan-rows > li").nth(number - 1).locator(f"[data-name={name}]").input_value()


@pytest.mark.long("goes through the page, at phone width, too")
def test_a_pasted_list_is_split_checked_and_created(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "n")
    page.locator("#new-task textarea").fill(LIST)
    expect(page.locator("#new-task [data-list]")).to_have_text("This looks like 4 tasks.")
    page.get_by_role("button", name="Split…").click()
    expect(page.locator("#plan-rows > li")).to_have_count(3)
    expect(page.locator("#plan-report")).to_contain_text("1 point is ticked as done and left out.")
    assert row(page, 2, "after") == "1"
    assert_no_barriers(page)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1440, "height": 900})

    page.locator("[data-name=title]").nth(2).focus()
    press(page, "Alt+ArrowUp")
    press(page, "Alt+ArrowUp")
    assert [row(page, number) for number in (1, 2, 3)] == ["Plan A three", "Plan A one", "Plan A two"]
    assert row(page, 3, "after") == "2"
    page.locator("[data-name=after]").nth(1).fill("3")
    expect(page.locator("[data-problem]").nth(1)).to_have_text("Task 3 comes after this one already.")
    expect(page.get_by_role("button", name="Create all in Backlog")).to_be_disabled()
    page.locator("[data-name=after]").nth(1).fill("1")
    page.locator("[data-name=title]").nth(1).fill("Plan A first")
    page.reload()
    expect(page.locator("#plan-rows > li")).to_have_count(3)
    assert (row(page, 2), row(page, 2, "after")) == ("Plan A first", "1")

    page.get_by_role("button", name="Remove task 1").click()
    expect(page.locator("#plan-rows > li")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#plan-rows > li")).to_have_count(3)
    page.get_by_role("button", name="Create all in Backlog").click()
    expect(page.locator("#cards-backlog .card", has_text="Plan A first")).to_be_visible()
    titles = "result = list(Task.objects.filter(title__startswith='Plan A').values_list('title', flat=True))"
    assert sorted(site.do(titles)) == ["Plan A first", "Plan A three", "Plan A two"]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#cards-backlog .card", has_text="Plan A")).to_have_count(0)
    assert site.do(titles) == []


def test_a_task_is_dragged_to_its_place_and_its_order_follows(open_one: OpenPage) -> None:
    page = open_one("/plan")
    page.locator("#plan-text").fill("1. Plan D one\n2. Plan D two (after 1)\n3. Plan D three")
    page.get_by_role("button", name="Split").click()
    rows = page.locator("#plan-rows > li")
    expect(rows).to_have_count(3)
    rows.nth(2).locator(".handle").drag_to(rows.nth(0).locator(".handle"), target_position={"x": 4, "y": 2})
    expect(rows.nth(0).locator("[data-name=title]")).to_have_value("Plan D three")
    assert [row(page, number) for number in (2, 3)] == ["Plan D one", "Plan D two"]
    assert row(page, 3, "after") == "2"


def test_what_is_chosen_for_all_tasks_survives_a_reload(open_one: OpenPage) -> None:
    page = open_one("/plan")
    page.locator("#plan-form select[name=backend]").select_option("codex")
    page.wait_for_url("**/plan?*backend=codex*")
    page.locator("#plan-form [name=priority]").select_option("2")
    page.locator("#plan-form [name=labels]").fill("api docs")
    page.reload()
    chosen = [page.locator(f"#plan-form [name={name}]") for name in ("backend", "priority", "labels")]
    assert [field.input_value() for field in chosen] == ["codex", "2", "api docs"]
