"""The first minutes of a new user: from the login to the first running task, counted in clicks and fields."""

from __future__ import annotations

import json
import uuid

import pytest
from playwright.sync_api import Locator, expect

from aitask.tests.lab.browser import Chromium, open_page
from aitask.tests.lab.cli_home import ANTHROPIC_KEY
from aitask.tests.lab.login import log_in
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.browser, pytest.mark.timeout(240)]
MOST_CLICKS, MOST_FIELDS = 6, 2
PASSWORD = "a long password of a new user"
WAIT = 60_000
MAKE_USER = """
from django.contrib.auth.models import Permission, User
user = User.objects.create_user({name!r}, password={password!r})
user.user_permissions.add(*Permission.objects.filter(codename__in=["add_workspace", "use_terminal"]))
"""


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


def log_in_claude(world: World) -> None:
    """Give the login of this machine a Claude Code that is set up, as users have it."""
    settings = {
        "ANTHROPIC_BASE_URL": world.endpoint.url,
        "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    folder = world.app.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps({"env": settings}))


def test_a_newcomer_has_a_running_task_after_six_clicks_and_two_fields(
    world: World, chromium: Chromium
) -> None:
    log_in_claude(world)
    name = f"new-{uuid.uuid4().hex[:8]}"
    make_repo(world.app.home / "code" / name)
    world.app.manage("shell", "-v", "0", "-c", MAKE_USER.format(name=name, password=PASSWORD))
    hand = Hand()
    with open_page(chromium, world.app.site) as page:
        log_in(world.app.site, name, PASSWORD).give_to(page.context)
        page.goto("/")

        hand.click(page.get_by_role("link", name="Add a workspace"))
        hand.click(page.locator("label", has_text="This machine"))
        hand.click(page.locator(f"[data-pick='~/code/{name}']"))
        expect(page.locator("#offer")).to_contain_text("1 branch", timeout=WAIT)
        hand.click(page.get_by_role("button", name="Add workspace"))
        hand.click(page.get_by_role("link", name="New task"))
        hand.type(page.locator("textarea[name=text]"), "Say hello")
        hand.click(page.get_by_role("button", name="Create and run"))

        card = page.locator(".card", has_text="Say hello")
        expect(card).to_be_visible(timeout=WAIT)
        number = int(str(card.get_attribute("id")).rpartition("-")[2])
    run = world.api.get(f"/api/tasks/{number}")["runs"][-1]
    wait_for(lambda: world.api.get(f"/api/runs/{run}")["started_at"], 90, "a run that has started")
    assert world.api.wait_for_run(run)["state"] == "succeeded"
    assert hand.clicks <= MOST_CLICKS
    assert hand.fields <= MOST_FIELDS
