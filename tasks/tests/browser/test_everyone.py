"""Pages for everyone: no barrier that axe-core finds, nothing cut off on a phone, nothing without keys."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from aitask.tests.lab.repos import make_repo
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]


SCROLLS = """() => [...document.querySelectorAll("body *")].filter(each => {
  const {overflowX} = getComputedStyle(each);
  return ["auto", "scroll"].includes(overflowX) && each.scrollWidth > each.clientWidth + 1
    && !each.matches("pre, code, .columns, textarea, select, .graph");
}).map(each => `${each.tagName}#${each.id}.${each.className}`)"""
"""What must be scrolled sideways to be read: only the board's columns and code may have to be."""
ADMIN = (
    "/admin/",
    "/admin/tasks/run/",
    "/admin/tasks/run/1/change/",
    "/admin/tasks/task/",
    "/admin/workspaces/workspace/",
    "/admin/workspaces/workspace/1/change/",
)


def addresses(site: Site) -> list[str]:
    busy, ended, idea = (
        site.pk_of(title)
        for title in (
            "Upgrade to React 20",
            "Round amounts half to even everywhere",
            "Pin the base image by digest",
        )
    )
    fixed = [
        "/",
        "/tasks/new",
        "/plan",
        "/prompt-templates",
        "/workspaces",
        "/workspaces/new",
        "/workspaces/1",
        "/workspaces/1/edit",
        "/workspaces/1/graph",
        "/account/tokens",
        "/account/password",
        "/account/settings",
        "/help",
        "/usage?days=7",
        "/backups",
        "/inbox",
        "/search?q=round",
        "/inbox/finished",
        "/inbox/failed",
        "/terminals",
        "/workspaces/1/git",
        "/workspaces/1/delete",
    ]
    fixed += [f"/tasks/{ended}/{part}" for part in ("agent-settings", "attempts", "changes")]
    return [*fixed, f"/tasks/{busy}", f"/tasks/{ended}", f"/tasks/{idea}", "/not-there"]


@pytest.mark.long("opens every page, and starts the site of all browser tests")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(site: Site, open_one: OpenPage, scheme: str) -> None:
    page = open_one(scheme=scheme)
    for path in addresses(site):
        page.goto(path)
        assert_no_barriers(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier_in_the_admin(open_one: OpenPage, scheme: str) -> None:
    page = open_one(scheme=scheme)
    for path in ADMIN:
        page.goto(path)
        assert_no_barriers(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier_in_what_opens(open_one: OpenPage, scheme: str) -> None:
    page = open_one(scheme=scheme)
    press(page, "n")
    expect(page.locator("#new-task textarea")).to_be_focused()
    assert_no_barriers(page)
    press(page, "Escape")
    expect(page.locator("#new-task")).to_be_hidden()
    press(page, "?")
    expect(page.locator("#keys")).to_be_visible()
    assert_no_barriers(page)
    press(page, "Escape")
    expect(page.locator("#keys")).to_be_hidden()
    press(page, "j")
    expect(page.locator(".card .title:focus")).to_have_count(1)
    press(page, "m")
    expect(page.locator("#cardmenu")).to_be_visible()
    assert_no_barriers(page)
    press(page, "Escape", "Space")
    expect(page.locator("#manybar")).to_contain_text("1 selected")
    assert_no_barriers(page)
    press(page, "Escape")
    expect(page.locator("#manybar")).to_be_hidden()
    press(page, "R")
    expect(page.locator("#many")).to_be_visible()
    assert_no_barriers(page)
    press(page, "Escape")
    expect(page.locator("#many")).to_be_hidden()
    press(page, "Control+k")
    expect(page.locator("#palette [role=option]").first).to_be_visible()
    assert_no_barriers(page)


def test_the_login_page_has_no_barrier_and_leads_to_the_page_that_was_asked_for(open_one: OpenPage) -> None:
    page = open_one("/login")
    page.context.clear_cookies()
    page.goto("/inbox")
    assert_no_barriers(page)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/inbox")


def test_no_page_is_wider_than_its_window(site: Site, open_one: OpenPage) -> None:
    page = open_one("/login")
    for path in addresses(site):
        page.goto(path)
        for width in (390, 768, 2560):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_on_a_phone_nothing_but_code_and_the_board_is_scrolled_sideways(
    site: Site, open_one: OpenPage
) -> None:
    page = open_one("/login", width=390, height=844)
    for path in (*addresses(site), *ADMIN):
        page.goto(path)
        assert page.evaluate(SCROLLS) == [], path


@pytest.mark.parametrize("title", ["Upgrade to React 20", "Round amounts half to even everywhere"])
def test_at_200_percent_half_of_the_window_is_left_for_the_conversation(
    site: Site, open_one: OpenPage, title: str
) -> None:
    page = open_one(f"/tasks/{site.pk_of(title)}", width=720, height=450)
    shown = page.locator(".pane.talk").evaluate(
        """pane => pane.querySelector("#head").getBoundingClientRect().top
            - pane.querySelector(".conversation").getBoundingClientRect().top"""
    )
    assert shown >= 225
    for button in page.locator("#head > :not(.figures) button:visible, #say button:visible").all():
        expect(button).to_be_in_viewport()


def test_at_200_percent_the_verbs_of_a_form_are_in_view_while_it_scrolls(open_one: OpenPage) -> None:
    page = open_one(width=720, height=450)
    expect(page.locator(".boardlegend")).to_be_hidden()
    press(page, "n")
    run = page.locator("#new-task").get_by_role("button", name="Create and run")
    expect(run).to_be_in_viewport(ratio=1)
    page.get_by_label("Labels").focus()
    expect(page.get_by_label("Labels")).to_be_in_viewport(ratio=1)
    expect(run).to_be_in_viewport(ratio=1)


def test_nothing_is_said_in_the_browsers_console(site: Site, open_one: OpenPage) -> None:
    page = open_one("/login")
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    for path in addresses(site):
        page.goto(path)
        expect(page.locator("html[data-ready]")).to_be_attached()
    # The browser notes each answer with an error status; the sample's repositories do not exist.
    assert [line for line in said if "Failed to load resource" not in line] == []


def test_keys_that_are_pressed_before_the_scripts_have_loaded_are_not_lost(open_one: OpenPage) -> None:
    page = open_one("/workspaces")
    held: list[Route] = []
    page.route("**/aitask/app*.js", lambda route: held.append(route), times=1)
    page.goto("/", wait_until="commit")
    expect(page.locator("#col-done")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page.locator("html[data-ready]")).to_have_count(0)
    held.pop().continue_()
    page.wait_for_url("**/inbox")


def test_columns_are_a_tap_away_on_a_phone(open_one: OpenPage) -> None:
    page = open_one(width=390, height=844)
    expect(page.locator("#col-done .card").first).not_to_be_in_viewport()
    page.locator("#jump-done").click()
    expect(page.locator("#col-done .card").first).to_be_in_viewport()


def test_a_phone_begins_with_the_column_in_which_a_card_needs_a_person(open_one: OpenPage) -> None:
    page = open_one(width=390, height=844)
    expect(page.locator(".card.needs-you").first).to_be_in_viewport(ratio=0.9)


def test_panes_are_tabs_on_a_phone(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of('Upgrade to React 20')}", width=390, height=844)
    expect(page.get_by_role("tab", name="Conversation")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#pane-side")).to_be_hidden()
    page.get_by_role("tab", name="Changes").click()
    expect(page.locator("#pane-side")).to_be_visible()
    expect(page.locator("#pane-talk")).to_be_hidden()
    press(page, "ArrowLeft")
    expect(page.locator("#pane-talk")).to_be_visible()


def test_the_board_can_be_used_by_tab_and_enter_alone(open_one: OpenPage) -> None:
    page = open_one()
    press(page, "Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(30):
        press(page, "Tab")
        if page.evaluate("document.activeElement.matches('.card .title')"):
            break
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")


def test_a_workspace_is_added_while_its_host_and_repository_are_looked_at(
    site: Site, open_one: OpenPage
) -> None:
    name = f"garden-{uuid.uuid4().hex[:6]}"  # a test that is tried again finds its first repository
    repo = make_repo(site.app.home / "code" / name)
    (repo / "package-lock.json").write_text("{}")
    page = open_one("/workspaces/new")
    page.get_by_role("radio", name="Another host").check()
    expect(page.get_by_label("SSH host")).to_be_focused()
    page.get_by_role("radio", name="This machine").check()
    expect(page.get_by_label("SSH host")).to_be_hidden()
    expect(page.locator("#reached")).to_contain_text("tmux", timeout=60_000)
    path = page.get_by_label("Repository", exact=True)
    path.fill("~/missing")
    page.keyboard.press("Enter")
    expect(path).to_have_accessible_description(re.compile("There is no folder"), timeout=60_000)
    expect(path).to_have_attribute("aria-invalid", "true")
    page.get_by_text("Browse folders").click(timeout=60_000)
    page.locator("#folder .repo", has_text="code").click(timeout=60_000)
    page.locator(f"#folder [data-pick='~/code/{name}']").click(timeout=60_000)
    expect(page.get_by_label("Name", exact=True)).to_have_value(name, timeout=60_000)
    expect(path).not_to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="npm ci").click()
    assert_no_barriers(page)
    page.get_by_role("button", name="Add workspace").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator(".toast")).to_contain_text(f"Added {name}")
    expect(page.locator("#findings")).to_contain_text("Base branch", timeout=60_000)
    expect(page.locator("body")).to_contain_text("npm ci")


def test_deleting_a_workspace_asks_for_its_name(site: Site, open_one: OpenPage) -> None:
    site.do("factories.make_workspace(name='short-lived', owner=User.objects.get(username='ada'))")
    pk = site.do("result = Workspace.objects.get(name='short-lived').pk")
    page = open_one(f"/workspaces/{pk}/edit")
    page.get_by_role("link", name="Delete workspace…").click()
    expect(page.get_by_role("heading", name="Left on this machine")).to_be_visible()
    assert_no_barriers(page)
    page.get_by_label("Type short-lived to delete").fill("short")
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    page.get_by_label("Type short-lived to delete").fill("short-lived")
    page.get_by_role("button", name="Delete workspace").click()
    page.wait_for_url("**/workspaces")
    assert not site.do("result = Workspace.objects.filter(name='short-lived').exists()")
