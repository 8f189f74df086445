"""A CLI on hold: told where a user looks, and decided with one click."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import screenshot
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
HOLD = """
from workspaces.models import InstalledCli
from workspaces.trials import services
workspace = Workspace.objects.first()
row = services.row_for(workspace, 'claude_code')
why = ('Claude Code 2.1.332 on this machine did not finish a turn within 60 s; last good: 2.1.331.')
from django.utils import timezone
InstalledCli.objects.filter(pk=row.pk).update(state='held', reason=why, path='/usr/bin/claude', code='no_end',
    fingerprint='abc', version='2.1.332', good_version='2.1.331', good_at=timezone.now(), tries=1,
    tried_at=timezone.now(), try_at=timezone.now() + timezone.timedelta(minutes=2), allowed_fingerprint='')
other = services.row_for(workspace, 'codex')
InstalledCli.objects.filter(pk=other.pk).update(state='good', path='/usr/bin/codex', version='0.171.0',
    fingerprint='def', good_version='0.171.0', good_at=timezone.now())
result = workspace.pk
"""
FORGET = """
from workspaces.models import InstalledCli
InstalledCli.objects.all().delete()
"""


@pytest.fixture
def workspace(site: Site) -> Iterator[int]:
    yield int(site.do(HOLD))
    site.do(FORGET)


def test_a_held_cli_is_on_the_board_in_the_inbox_and_on_the_workspace_until_it_is_started_anyway(
    open_one: OpenPage, workspace: int
) -> None:
    why = "did not finish a turn within 60 s; last good: 2.1.331."
    inbox = open_one("/inbox")
    expect(inbox.get_by_text(why)).to_be_visible()
    page = open_one(f"/workspaces/{workspace}")
    expect(page.locator("#cli-claude_code")).to_contain_text("Next try")
    expect(page.locator("#cli-codex")).to_contain_text("Last good version: 0.171.0")
    board = open_one("/")
    board.locator("#troubles").get_by_role("button", name="Start anyway").click()
    expect(board.get_by_text(why)).to_have_count(0)
    expect(inbox.get_by_text(why)).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Hold again").click()
    expect(board.get_by_text(why)).to_be_visible()
    expect(page.get_by_role("button", name="Start anyway")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_its_notices_fit_the_page(open_one: OpenPage, workspace: int, width: int, scheme: str) -> None:
    for name, path in (("board", "/"), ("inbox", "/inbox"), ("workspace", f"/workspaces/{workspace}")):
        page = open_one(path, width=width, scheme=scheme)
        expect(page.get_by_role("button", name="Start anyway").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if os.environ.get("AITASK_PICTURES"):
            screenshot(page, f"held-{name}-{width}-{scheme}")
