"""The order of tasks in the browser: suggestions, adding and removing, and the graph by keyboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tasks.tests.browser.conftest import OpenPage
from tasks.tests.browser.site import Site


def test_a_task_is_added_with_a_suggestion_and_removed_again(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of('Pin the base image by digest')}")
    box = page.locator(".afterform input[name=after]")
    page.locator(".order > summary").click()
    box.focus()
    expect(page.locator("datalist option").first).to_be_attached()
    number = site.pk_of("Upgrade to React 20")
    assert f"#{number}" in page.locator("datalist option").evaluate_all("all => all.map((one) => one.value)")
    box.fill(f"#{number}")
    box.press("Enter")
    row = page.locator(".orderlist li", has_text=f"#{number} Upgrade to React 20")
    expect(row).to_be_visible()
    expect(box).to_have_value("")
    row.get_by_role("button").click()
    expect(row).to_have_count(0)


def test_the_graph_leads_to_its_tasks_by_keyboard(site: Site, open_one: OpenPage) -> None:
    page = open_one("/workspaces/1/graph")
    number = site.pk_of("Upgrade to React 20")
    node = page.locator("svg a", has_text=f"#{number} Upgrade")
    node.focus()
    node.press("Enter")
    page.wait_for_url(f"**/tasks/{number}")
