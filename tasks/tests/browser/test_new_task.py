"""Writing tasks down: nothing typed is ever lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OpenPage = Callable[..., Page]


def model_box(page: Page) -> Locator:
    """Where a model that is not in the list can be typed."""
    return page.locator("#new-task [name=model_typed]")


def open_panel(page: Page) -> None:
    press(page, "n")
    expect(page.locator("#new-task textarea")).to_be_focused()


def test_a_task_is_written_and_run_without_the_mouse(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Water the plants\n\nTwice a week.")
    press(page, "Control+Enter")
    expect(page.locator("#new-task")).to_be_hidden()
    expect(page.locator("#cards-running .card", has_text="Water the plants")).to_be_visible()
    assert site.do("result = Task.objects.get(title='Water the plants').prompt").endswith("Twice a week.")


def test_a_double_click_creates_one_task(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Pressed twice")
    page.get_by_role("button", name="Create", exact=True).dblclick()
    expect(page.locator("#new-task")).to_be_hidden()
    expect(page.locator("#cards-backlog .card", has_text="Pressed twice")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert site.do("result = Task.objects.filter(title='Pressed twice').count()") == 1


def test_several_tasks_at_once_are_counted_while_typed(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.locator("#new-task textarea").fill("Seed A\n---\nSeed B\n---\nSeed C")
    expect(page.locator("#new-task [data-parts]")).to_have_text("3 tasks. ")
    page.get_by_role("button", name="Create", exact=True).click()
    for title in ("Seed A", "Seed B", "Seed C"):
        expect(page.locator("#cards-backlog .card", has_text=title)).to_be_visible()


def test_create_more_keeps_the_panel_open_and_empty(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("First of many")
    page.get_by_label("Create more").check()
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#cards-backlog .card", has_text="First of many")).to_be_visible()
    expect(page.locator("#new-task textarea")).to_have_value("")
    expect(page.locator("#new-task textarea")).to_be_focused()


def test_a_late_answer_does_not_open_a_closed_panel_again(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    held: list[Route] = []
    page.route("**/tasks/new/fields?*", lambda route: held.append(route))
    page.get_by_label("CLI").select_option("codex")
    loading = page.locator(".modelchoice.htmx-request")
    expect(loading).to_have_count(1)
    press(page, "Escape")
    expect(page.locator("#new-task")).to_be_hidden()
    held[0].continue_()
    expect(loading).to_have_count(0)
    expect(page.locator("#new-task")).to_be_hidden()


def test_what_was_typed_survives_closing_and_reloading(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Half a thou")
    press(page, "Escape")
    page.reload()
    open_panel(page)
    expect(page.locator("#new-task textarea")).to_have_value("Half a thou")


def test_a_half_written_workspace_survives_mistakes_and_a_reload_but_no_secret_is_kept(
    open_one: OpenPage,
) -> None:
    page = open_one("/workspaces/new")
    page.get_by_label("Name", exact=True).fill("Half a shop")
    page.get_by_text("Variables and members").click()
    page.get_by_label("Set variables").fill("API_KEY=very-secret")
    page.get_by_role("button", name="Add workspace").click()
    expect(page.get_by_label("Repository")).to_be_focused()
    expect(page.get_by_label("Set variables")).to_have_value("API_KEY=very-secret")
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a shop")
    assert "very-secret" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_a_wrong_entry_keeps_the_words_and_says_what_is_wrong(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Keep these words")
    pulled = "box => { box.style.height = '300px' }"  # as by its corner; the policy forbids it in the answer
    page.locator("#new-task textarea").evaluate(pulled)
    page.locator("#new-task [name=model]").select_option(label="Another model…")
    model_box(page).fill("two words")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#new-task [role=alert]")).to_contain_text("Spaces, control characters")
    expect(page.locator("#new-task textarea")).to_have_value("Keep these words")
    model_box(page).fill("one-word")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator(".card", has_text="Keep these words")).to_contain_text("one-word")


def test_the_choices_follow_the_workspace(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.get_by_label("Workspace").last.select_option(label="billing-api")
    expect(page.get_by_label("CLI")).to_have_value("codex")
    page.get_by_label("Workspace").last.select_option(label="storefront")
    expect(page.get_by_label("CLI")).to_have_value("claude_code")
    expect(model_box(page)).to_have_value("claude-opus-4-5")


def test_the_server_being_away_loses_nothing(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Written in a tunnel")
    page.context.set_offline(True)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator(".toast.failed")).to_contain_text("did not respond")
    expect(page.locator("#new-task textarea")).to_have_value("Written in a tunnel")
    page.context.set_offline(False)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator(".card", has_text="Written in a tunnel")).to_be_visible()


def test_a_prompt_is_saved_as_a_template_and_inserted_at_the_cursor(open_one: OpenPage) -> None:
    page = open_one()
    open_panel(page)
    page.keyboard.type("Add a test first.")
    page.get_by_text("Templates", exact=True).click()
    page.get_by_label("Name of a new template").fill("Test first")
    page.get_by_role("button", name="Save as template").click()
    expect(page.locator("#toasts")).to_contain_text("Saved as template “Test first”")
    page.goto("/tasks/new")
    page.locator("textarea[name=text]").fill("Fix the totals. ")
    page.get_by_text("Templates", exact=True).click()
    page.get_by_label("Insert a template").select_option(label="Test first")
    expect(page.locator("textarea[name=text]")).to_have_value("Fix the totals. Add a test first.")
