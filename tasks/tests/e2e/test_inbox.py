"""The inbox in a real browser, by keyboard alone, with agents of both CLIs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from aitask.tests.lab.browser import open_page
from tasks.tests.e2e.world import BACKENDS, World

pytestmark = [pytest.mark.cli, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]
RUNS, ASKS = 6, 3


@pytest.fixture
def page(world: World, chromium: Browser) -> Iterator[Page]:
    with open_page(chromium, world.app.url) as page:
        world.app.log_in(page)
        yield page


def test_many_runs_that_ask_again_and_again_are_answered_by_keyboard(world: World, page: Page) -> None:
    workspace = world.add_workspace("many", permission_mode="ask")["id"]
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page.get_by_text("Nobody needs you")).to_be_visible()
    runs = [world.start(script(number), BACKENDS[number % 2], workspace=workspace) for number in range(RUNS)]
    expect(page.locator(".asked")).not_to_have_count(0, timeout=60_000)
    deadline = time.monotonic() + 240
    while not all(is_over(world, run) for run in runs):
        assert time.monotonic() < deadline, page.locator("#inbox").inner_text()
        page.keyboard.press("a")
        page.wait_for_timeout(200)
    for number, run in enumerate(runs):
        for ask in range(ASKS):
            assert (world.worktree(run) / f"run-{number}-{ask}.txt").exists()
    expect(page.get_by_text("Nobody needs you")).to_be_visible()
    expect(page.locator("#needs-count")).to_be_hidden()


def test_deny_edit_and_choose_by_keyboard(world: World, page: Page) -> None:
    workspace = world.add_workspace("by keys", permission_mode="ask")["id"]
    page.goto("/inbox")
    denied = world.start("@bash touch denied.txt\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("denied.txt", timeout=60_000)
    page.keyboard.press("d")
    page.keyboard.type("not this")
    page.keyboard.press("Enter")
    over = world.api.wait_for_run(denied["id"])
    assert world.events(over, "request_closed")[0]["text"] == "not this"

    edited = world.start("@bash touch before.txt\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("before.txt", timeout=60_000)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("touch after.txt")
    page.keyboard.press("Enter")
    world.api.wait_for_run(edited["id"])
    assert (world.worktree(edited) / "after.txt").exists()

    asked = world.start("@ask Which? | Red | Blue\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("Which?", timeout=60_000)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    world.api.wait_for_run(asked["id"])
    assert "Blue" in str(world.events(asked, "tool_result")[0]["output"])


def script(number: int) -> str:
    return "\n".join(f"@bash touch run-{number}-{ask}.txt" for ask in range(ASKS))


def is_over(world: World, run: dict[str, Any]) -> bool:
    return world.api.run(run["id"])["finished_at"] is not None
