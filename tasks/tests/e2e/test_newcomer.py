"""The first minutes of a new user: from README's command to the first merged task, counted in clicks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from aitask.tests.lab.app import App
from aitask.tests.lab.browser import Chromium, open_page
from aitask.tests.lab.cli_home import ANTHROPIC_KEY
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git, make_repo
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import embedded

pytestmark = [pytest.mark.cli, pytest.mark.browser, pytest.mark.timeout(240), embedded]
MOST_CLICKS, MOST_FIELDS = 6, 2
"From the login to the first running task."
MOST_TO_MERGE = 3
PASSWORD = "a long password of a new user"
WAIT = 90_000
LINK = re.compile(r"http://\S+(/setup/\S+)")


class Hand:
    """Clicks and types, and counts both."""

    def __init__(self) -> None:
        self.clicks = 0
        self.fields = 0

    def click(self, target: Locator) -> None:
        target.click(timeout=WAIT)
        self.clicks += 1

    def type(self, target: Locator, words: str) -> None:
        target.fill(words, timeout=WAIT)
        self.fields += 1


@pytest.fixture
def fresh() -> Iterator[App]:
    """What README's command starts: no database, no account; Claude Code is logged in as users have it."""
    with ScriptedEndpoint() as endpoint, App(empty=True) as app:
        settings = {
            "ANTHROPIC_BASE_URL": endpoint.url,
            "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        (app.home / ".claude").mkdir()
        (app.home / ".claude" / "settings.json").write_text(json.dumps({"env": settings}))
        make_repo(app.home / "code" / "shop")
        app.up()
        yield app


def create_account(app: App, page: Page) -> None:
    """Three fields and a click, with the link that the command prints."""
    wait_for(lambda: LINK.search(app.log), 60, "the link for the first account")
    page.goto(LINK.findall(app.log)[0])
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()


def test_a_newcomer_has_a_running_task_after_six_clicks_and_a_merged_one_after_three_more(
    fresh: App, chromium: Chromium
) -> None:
    running, merged = Hand(), Hand()
    with open_page(chromium, fresh.site) as page:
        create_account(fresh, page)

        running.click(page.get_by_role("link", name="Add a workspace"))
        running.click(page.locator("label", has_text="This machine"))
        running.click(page.locator("[data-pick='~/code/shop']"))
        expect(page.locator("#offer")).to_contain_text("1 branch", timeout=WAIT)
        running.click(page.get_by_role("button", name="Add workspace"))
        running.click(page.get_by_role("link", name="New task"))
        running.type(page.locator("textarea[name=text]"), "@write hello.txt Hello\n@text Said hello")
        running.click(page.get_by_role("button", name="Create and run"))

        expect(page.locator("#cards-review .card")).to_be_visible(timeout=WAIT)
        merged.click(page.get_by_role("button", name="Accept all"))
        merged.click(page.locator("#col-review").get_by_role("button", name=re.compile("^Merge")))
        merged.click(page.locator("#many").get_by_role("button", name=re.compile("^Merge")))
        expect(page.locator("#cards-done .card")).to_be_visible(timeout=WAIT)

    assert "hello.txt" in git(Path(fresh.home / "code" / "shop"), "ls-tree", "--name-only", "main")
    assert running.clicks <= MOST_CLICKS
    assert running.fields <= MOST_FIELDS
    assert merged.clicks <= MOST_TO_MERGE
