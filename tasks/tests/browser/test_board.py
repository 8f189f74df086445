"""The board as a person uses it: by mouse, by keys, with others at the same time."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from aitask.tests.lab.browser import press
from aitask.tests.lab.wait import wait_for
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OpenPage = Callable[..., Page]


def make_card(site: Site, title: str, status: str = "backlog") -> Callable[[Page], Locator]:
    """A new card; the function finds it on a page."""
    pk = site.do(
        f"task = factories.make_task(workspace=Workspace.objects.get(name='storefront'), title={title!r},"
        f" status={status!r}); doorbell.ring('board'); result = task.pk"
    )
    return lambda page: page.locator(f"#card-{pk}")


def column(page: Page, status: str) -> Locator:
    return page.locator(f"#cards-{status}")


def lift(page: Page, card: Locator, over: Locator) -> None:
    """Take a card and hold it over the upper part of something."""
    card.hover()
    page.mouse.down()
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 40, steps=5)
    expect(page.locator("body.dragging")).to_be_attached()
    page.mouse.move(box["x"] + 60, box["y"] + 8, steps=8)


def is_held_over(page: Page, over: Locator) -> bool:
    """A person's drag tells the page again and again where it is; this one only with each move."""
    if page.locator(".drop-here").filter(has=over).count():
        return True
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.move(box["x"] + 60, box["y"] + 8)
    return False


def drag(page: Page, card: Locator, over: Locator) -> None:
    lift(page, card, over)
    wait_for(lambda: is_held_over(page, over), 20, "the column's being marked")
    page.mouse.up()
    expect(page.locator("body.dragging")).not_to_be_attached()


def test_a_card_dragged_to_queued_runs_and_every_browser_sees_it(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Drag me")
    mine, other = open_one(), open_one()
    drag(mine, card(mine), column(mine, "queued"))
    for page in (mine, other):
        expect(column(page, "running").locator(".card", has_text="Drag me")).to_contain_text("starting")
    assert site.do("result = Task.objects.get(title='Drag me').runs.count()") == 1


def test_a_refused_drop_puts_the_card_back_and_says_why(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Not there")
    page = open_one()
    drag(page, card(page), column(page, "running"))
    expect(page.locator(".toast.failed")).to_contain_text("moves to Running by itself")
    expect(column(page, "backlog").locator(".card", has_text="Not there")).to_be_visible()


def test_a_move_can_be_taken_back(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Back again")
    page = open_one()
    drag(page, card(page), column(page, "review"))
    expect(column(page, "review").locator(".card", has_text="Back again")).to_be_visible()
    page.locator(".toast", has_text="Moved to Review").get_by_role("button", name="Undo").click()
    expect(column(page, "backlog").locator(".card", has_text="Back again")).to_be_visible()


def test_a_card_is_moved_within_its_column(site: Site, open_one: OpenPage) -> None:
    make_card(site, "Order A")
    second = make_card(site, "Order B")
    page = open_one()
    first = page.locator(".card", has_text="Order A")
    drag(page, second(page), first)
    expect(column(page, "backlog").locator(".card", has_text="Order").first).to_contain_text("Order B")
    page.reload()
    expect(column(page, "backlog").locator(".card", has_text="Order").first).to_contain_text("Order B")


def test_a_change_by_somebody_else_waits_until_the_drag_is_over(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Held in the hand")
    page = open_one()
    lift(page, card(page), column(page, "review"))
    other = open_one()
    late = make_card(site, "Came meanwhile")
    expect(late(other)).to_be_visible()
    expect(late(page)).to_have_count(0)
    page.mouse.up()
    expect(late(page)).to_be_visible()
    expect(column(page, "review").locator(".card", has_text="Held in the hand")).to_be_visible()


def test_cards_are_walked_and_opened_by_keys(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "j")
    expect(column(page, "backlog").locator(".title").first).to_be_focused()
    press(page, "ArrowDown")
    expect(column(page, "backlog").locator(".title").nth(1)).to_be_focused()
    press(page, "k")
    press(page, "l")
    focused = page.locator(".title:focus")
    expect(focused).to_be_visible()
    assert focused.evaluate("e => e.closest('.card').dataset.status") != "backlog"
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")


def test_a_card_is_moved_run_and_cancelled_by_keys_alone(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "By keys")
    page = open_one()
    card(page).locator(".title").focus()
    press(page, "m")
    page.locator("#cardmenu [data-status=review]").press("Enter")
    expect(column(page, "review").locator(".card", has_text="By keys")).to_be_visible()
    expect(card(page).locator(".title")).to_be_focused()
    press(page, "r")
    expect(column(page, "running").locator(".card", has_text="By keys")).to_be_visible()
    expect(card(page).locator(".title")).to_be_focused()
    press(page, "x")
    expect(page.locator("#confirm")).to_contain_text("stays in the worktree")
    press(page, "y")
    expect(card(page)).to_contain_text("cancelling")


def test_a_question_answered_with_escape_does_nothing(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Keep me")
    page = open_one()
    card(page).hover()
    card(page).get_by_role("button", name="Actions for Keep me").click()
    page.locator("#cardmenu [data-verb=delete]").click()
    expect(page.locator("#confirm")).to_contain_text("branch, worktree and commits stay")
    press(page, "Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    page.reload()
    expect(card(page)).to_be_visible()


def test_what_needs_a_person_is_counted_in_every_title(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    expect(page).to_have_title("(1) Board · AI Task Manager")
    run = "Run.objects.filter(task__title__startswith='Make the search')"
    change = run + ".update(state={!r}, open_requests={!r}); doorbell.ring('board')"
    asked = {"id": "r1", "kind": "approval", "tool": "Bash", "title": "npm test"}
    site.do(change.format("waiting", [asked]))
    expect(page).to_have_title("(2) Board · AI Task Manager")
    expect(page.locator("#needs")).to_contain_text("2 need you")
    page.locator("#needs").click()
    expect(page.locator(".card.needs-you .title").first).to_be_focused()
    site.do(change.format("running", []))
    expect(page).to_have_title("(1) Board · AI Task Manager")


def test_search_and_workspace_narrow_the_board_and_survive_a_reload(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "/")
    page.keyboard.type("invoices")
    expect(page.locator(".card")).to_have_count(1)
    expect(page).to_have_url(f"{site.url}/?q=invoices")
    page.reload()
    expect(page.locator(".card")).to_have_count(1)
    page.locator("#f-search").press("Escape")
    expect(page.locator(".card").nth(3)).to_be_visible()
    page.locator("#f-workspace").select_option(label="dotfiles")
    expect(page.locator(".card", has_text="storefront")).to_have_count(0)
    expect(page.locator(".card", has_text="dotfiles").first).to_be_visible()


def test_the_elapsed_time_runs_by_itself(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    clock = page.locator("#cards-running time[data-since]").first
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")


def test_times_are_those_of_the_readers_zone(site: Site, open_one: OpenPage) -> None:
    pk = site.do(
        "task = factories.make_task(workspace=Workspace.objects.get(name='storefront'), status='queued')\n"
        "factories.make_run(task=task, reason='Starts at 2030-03-17 17:46 UTC, when the limit is reset.')\n"
        "doorbell.ring('board'); result = task.pk"
    )
    page = open_one(zone="Asia/Kathmandu")
    words = page.locator(f"#card-{pk} .because")
    expect(words).to_have_text("Starts at 17 Mar, 23:31, when the limit is reset.")
    site.do(f"Task.objects.filter(pk={pk}).update(title='Another name'); doorbell.ring('board')")
    expect(page.locator(f"#card-{pk} .title")).to_have_text("Another name")
    expect(words).to_contain_text("23:31")
    age = page.locator("#cards-review time[data-ago]").first
    age.dispatch_event("pointerover")
    expect(age).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\+5:45$"))


def test_the_page_finds_the_server_again_after_a_restart(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    pid = site.app.kill("web")
    site.app._started.pop("web").wait(10)
    expect(page.locator("#linkbar")).to_be_visible()
    site.app.start_role("web")
    site.app.wait_until_it_answers()
    assert pid != site.app.pid("web")
    expect(page.locator("#linkbar")).to_be_hidden(timeout=20_000)
    late = make_card(site, "After the restart")
    expect(late(page)).to_be_visible()
