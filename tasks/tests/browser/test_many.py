"""Many tasks at once, by few keys: a pasted list, a selection and its bar, from review to merged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
PATIENCE = 60_000


@pytest.fixture
def place(site: Site) -> Iterator[int]:
    """A workspace of its own."""
    pk = site.do(
        "from django.contrib.auth.models import User\n"
        "owner = User.objects.get(username='ada')\n"
        "made = factories.make_workspace(name='many at once', owner=owner, max_parallel_runs=50)\n"
        "result = made.pk"
    )
    yield int(pk)
    site.do(f"Workspace.objects.filter(pk={pk}).delete()")


def make_cards(site: Site, place: int, count: int) -> None:
    site.do(
        f"workspace = Workspace.objects.get(pk={place})\n"
        f"for n in range({count}): factories.make_task(workspace=workspace, title=f'Card {{n}}')"
    )


def chosen(page: Page) -> list[str]:
    return page.locator(".card.is-chosen .title").all_text_contents()


def test_a_pasted_list_of_ten_runs_after_three_keys(site: Site, place: int, open_one: OpenPage) -> None:
    page = open_one(f"/?workspace={place}")
    press(page, "n")
    expect(page.locator("#new-task textarea")).to_be_focused()
    page.keyboard.insert_text("\n---\n".join(f"Task {n} of ten" for n in range(10)))  # as a paste does
    page.keyboard.press("Control+Enter")
    expect(page.locator("#cards-running .card")).to_have_count(10, timeout=PATIENCE)


def test_all_in_backlog_run_after_two_keys_and_only_after_them(
    site: Site, place: int, open_one: OpenPage
) -> None:
    make_cards(site, place, 3)
    page = open_one(f"/?workspace={place}")
    press(page, "R")
    expect(page.locator("#many")).to_contain_text("Run 3 tasks?")
    assert site.do(f"result = Run.objects.filter(task__workspace={place}).count()") == 0
    page.keyboard.press("Enter")
    expect(page.locator("#cards-running .card")).to_have_count(3, timeout=PATIENCE)


def test_one_key_runs_all_in_backlog_at_once(site: Site, place: int, open_one: OpenPage) -> None:
    make_cards(site, place, 3)
    page = open_one(f"/?workspace={place}")
    press(page, "Control+b")
    expect(page.locator("#cards-running .card")).to_have_count(3, timeout=PATIENCE)
    expect(page.locator("#many")).to_be_hidden()


def test_cards_are_selected_by_keys_by_shift_and_by_a_box(site: Site, place: int, open_one: OpenPage) -> None:
    make_cards(site, place, 4)
    page = open_one(f"/?workspace={place}")
    press(page, "j")
    press(page, " ")
    press(page, "Shift+ArrowDown")
    assert chosen(page) == ["Card 0", "Card 1"]
    expect(page.locator("#manybar")).to_contain_text("2 selected")
    page.locator(".card .title", has_text="Card 3").click(modifiers=["Shift"])
    assert chosen(page) == ["Card 0", "Card 1", "Card 2", "Card 3"]
    press(page, "Escape")
    expect(page.locator("#manybar")).to_be_hidden()
    box = page.locator("#cards-backlog").bounding_box()
    second = page.locator(".card", has_text="Card 1").bounding_box()
    assert box
    assert second
    page.mouse.move(box["x"] + 40, box["y"] + box["height"] + 30)
    page.mouse.down()
    page.mouse.move(second["x"] + 60, second["y"] + 10, steps=5)
    page.mouse.up()
    assert chosen(page) == ["Card 1", "Card 2", "Card 3"]


def test_the_selected_move_together_and_come_back(site: Site, place: int, open_one: OpenPage) -> None:
    make_cards(site, place, 3)
    page = open_one(f"/?workspace={place}")
    press(page, "j")
    press(page, " ")
    press(page, "Shift+ArrowDown")
    page.get_by_role("button", name="To Review 2").click()
    expect(page.locator("#cards-review .card")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#manybar")).to_be_hidden()
    page.locator(".toast", has_text="Moved to Review 2 tasks.").get_by_role("button", name="Undo").click()
    expect(page.locator("#cards-backlog .card")).to_have_count(3, timeout=PATIENCE)
    assert page.locator("#cards-backlog .title").all_text_contents() == ["Card 0", "Card 1", "Card 2"]


def test_what_is_in_review_is_merged_after_three_keys(site: Site, open_one: OpenPage, tmp_path: Path) -> None:
    made = site.do(f"from tasks.tests.review import window; result = window.build({str(tmp_path)!r}, 'ada')")
    place = made["workspace"]
    page = open_one(f"/?workspace={place}")
    press(page, "A")
    expect(page.locator(".toast", has_text="Accepted")).to_be_visible(timeout=PATIENCE)
    press(page, "M")
    expect(page.locator("#many")).to_contain_text(re.compile(r"Merge \d+ accepted tasks\?"), timeout=PATIENCE)
    page.keyboard.press("Enter")
    link = page.locator(".toast", has_text="Merging").get_by_role("link", name=re.compile("Merge train"))
    train = (link.get_attribute("href", timeout=PATIENCE) or "").rsplit("/", 1)[1]
    site.do(f"from tasks.tests.review import window; window.ride({train})")
    expect(page.locator("#cards-done .card").first).to_be_visible(timeout=PATIENCE)
    site.do(f"Workspace.objects.filter(pk={place}).delete()")
