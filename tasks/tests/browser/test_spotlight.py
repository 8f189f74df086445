"""Spotlight's bar: on the board and on task pages, with its keys, and gone after Back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
SHOWN = """
from tasks.models import Spotlight
task = Task.objects.filter(status='review').order_by('workspace', 'rank').first()
Spotlight.objects.update_or_create(workspace=task.workspace, defaults=dict(state='shown', task=task,
    commit='5f0c2d9a1b' * 4, told='Until you go back, your uncommitted changes are hidden: a.py.',
    by=User.objects.first()))
doorbell.ring('board')
result = [task.pk, task.title, task.workspace_id]
"""
WITH_BRANCH = """
task = Task.objects.filter(status='review').order_by('workspace', 'rank').first()
Task.objects.filter(pk=task.pk).update(branch=task.branch or 'aitask/7-shown')
result = [task.pk, task.workspace_id]
"""
WENT_BACK = """
from tasks.models import Spotlight
Spotlight.objects.update(state='off', task=None, told='', reason='')
doorbell.ring('board')
"""


@pytest.fixture
def shown(site: Site) -> Iterator[tuple[int, str, int]]:
    yield tuple(site.do(SHOWN))
    site.do("from tasks.models import Spotlight; Spotlight.objects.all().delete(); doorbell.ring('board')")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (720, 450), (390, 844)])
def test_the_bar_fits_and_can_be_used_by_everybody(
    open_one: OpenPage, shown: tuple[int, str, int], width: int, height: int
) -> None:
    """720 × 450 is 1440 × 900 at 200 %."""
    pk, _, workspace = shown
    for path in (f"/?workspace={workspace}", f"/tasks/{pk}"):
        page = open_one(path, width=width, height=height)
        bar = page.locator(f"#spotlight-{workspace}")
        expect(bar.get_by_role("button", name="Back")).to_be_visible()  # without its keys on a phone
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert bar.evaluate("bar => bar.scrollWidth <= bar.clientWidth")
        assert_no_barriers(page)


def test_the_menu_of_a_card_shows_its_change_in_the_checkout(site: Site, open_one: OpenPage) -> None:
    pk, workspace = site.do(WITH_BRANCH)
    board = open_one(f"/?workspace={workspace}")
    board.locator(f"#card-{pk}").click(button="right")
    board.locator("#cardmenu [data-verb='spotlight']").click()
    bar = board.locator(f"#spotlight-{workspace}")
    expect(bar).to_contain_text(f"#{pk}")
    expect(bar).to_contain_text("in the checkout of")
    site.do("from tasks.models import Spotlight; Spotlight.objects.all().delete(); doorbell.ring('board')")


def test_the_bar_says_what_the_checkout_shows_until_it_is_back(
    site: Site, open_one: OpenPage, shown: tuple[int, str, int]
) -> None:
    pk, title, workspace = shown
    board, page = open_one(f"/?workspace={workspace}"), open_one(f"/tasks/{pk}")
    for each in (board, page):
        expect(each.locator(f"#spotlight-{workspace}")).to_be_visible()
        expect(each.locator(f"#spotlight-{workspace}")).to_contain_text(title)
    page.locator("main").click(position={"x": 5, "y": 5})
    page.keyboard.press("z")
    page.keyboard.press("b")
    for each in (board, page):
        expect(each.locator(f"#spotlight-{workspace}")).to_contain_text("restoring the checkout of")
        expect(each.get_by_role("button", name="Back z b")).to_have_count(0)
    site.do(WENT_BACK)
    for each in (board, page):
        expect(each.locator(f"#spotlight-{workspace}")).to_have_count(0)
