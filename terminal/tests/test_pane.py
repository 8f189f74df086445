"""The terminal in the lower pane of a task's page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from terminal.tests.page import Open, connected, log_in
from terminal.tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ROWS = ".xterm-rows"


def open_task(page: Page, desk: Site, task: int) -> None:
    log_in(page, desk)
    page.goto(f"/tasks/{task}")
    page.wait_for_selector("html[data-ready]")


def xterm_files(page: Page) -> list[str]:
    names = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    return [name for name in names if "xterm" in name or "/terminal/" in name]


def test_t_opens_and_hides_the_terminal_and_ends_nothing(desk: Site, task: int, open_one: Open) -> None:
    desk.make_session(task)
    with open_one(width=1440, height=900) as page:
        open_task(page, desk, task)
        assert xterm_files(page) == []
        press(page, "t")
        connected(page)
        expect(page.locator(".xterm-helper-textarea")).to_be_focused()
        page.keyboard.type("echo he''re t\n")
        expect(page.locator(ROWS)).to_contain_text("here t")
        assert_no_barriers(page)
        page.locator(".lower > .resizer").focus()
        before = page.locator("#lower").bounding_box()
        press(page, "ArrowUp")
        height = page.locator("#lower").evaluate("lower => lower.offsetHeight")
        assert before
        assert height == before["height"] + 24
        page.reload()
        connected(page)
        expect(page.locator(ROWS)).to_contain_text("here t")
        assert page.locator("#lower").evaluate("lower => lower.offsetHeight") == height
        page.click("#term-room")
        press(page, "Control+`")
        expect(page.locator("#lower")).to_be_hidden()
        assert f"aitask-{task}" in desk.tmux("list-sessions")
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert xterm_files(page) == []
        press(page, "g")
        press(page, "t")
        page.wait_for_url("**/terminals")


def test_a_task_without_a_branch_gets_one_only_after_the_user_was_told(
    desk: Site, task: int, open_one: Open
) -> None:
    with open_one(width=1440, height=900) as page:
        open_task(page, desk, task)
        press(page, "t")
        banner = page.locator("#term-banner")
        expect(banner).to_contain_text("This task has no worktree yet.", timeout=60_000)
        expect(banner).to_contain_text(f"creates the branch aitask/{task}-task")
        branches = desk.installation.run("shell", "--no-imports", "-c", BRANCH.format(task)).stdout
        assert branches.split() == ["''"]
        banner.get_by_role("button", name="Create and open").click()
        connected(page)
        branches = desk.installation.run("shell", "--no-imports", "-c", BRANCH.format(task)).stdout
        assert f"aitask/{task}-task" in branches


BRANCH = "from tasks.models import Task; print(repr(Task.objects.get(pk={}).branch))"


def test_a_shell_opens_beside_the_run(desk: Site, task: int, open_one: Open) -> None:
    name = desk.make_session(task)
    desk.tmux("rename-window", "-t", f"={name}:", "run-1")
    with open_one(width=1440, height=900) as page:
        open_task(page, desk, task)
        page.click("[data-terminal]")
        connected(page)
        page.click("#term-shell")
        expect(page.get_by_role("tab", name="shell")).to_have_attribute(
            "aria-selected", "true", timeout=60_000
        )
        expect(page.get_by_role("tab", name="run-1")).to_be_visible()
        expect(page.locator("#term-shell")).to_be_hidden()


def test_on_a_phone_the_terminal_is_a_tab(desk: Site, task: int, open_one: Open) -> None:
    desk.make_session(task)
    with open_one(width=390, height=844) as page:
        open_task(page, desk, task)
        page.get_by_role("tab", name="Terminal").click()
        connected(page)
        expect(page.locator("#conversation")).to_be_hidden()
        assert_no_barriers(page)
        page.get_by_role("tab", name="Conversation").click()
        expect(page.locator("#conversation")).to_be_visible()
        expect(page.locator("#lower")).to_be_hidden()
