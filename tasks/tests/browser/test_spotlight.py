"""Spotlight's bar: on the board and on task pages, with its keys, and gone after Back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
SHOWN = """
from tasks.models import Spotlight
task = Task.objects.filter(status='review').order_by('workspace', 'rank').first()
Spotlight.objects.update_or_create(workspace=task.workspace, defaults=dict(state='shown', task=task,
    commit='5f0c2d9a1b' * 4, told='Your uncommitted changes are hidden until you go back in: a.py.',
    by=User.objects.first()))
doorbell.ring('board')
result = [task.pk, task.title, task.workspace_id]
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
        expect(each.locator(f"#spotlight-{workspace}")).to_contain_text("putting the checkout of")
        expect(each.get_by_role("button", name="Back z b")).to_have_count(0)
    site.do(WENT_BACK)
    for each in (board, page):
        expect(each.locator(f"#spotlight-{workspace}")).to_have_count(0)
