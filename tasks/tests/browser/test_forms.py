"""Forms and links of MCP servers, as people fill them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site
from tasks.tests.conversation.test_forms_page import FORM, LINK, RAW, UNKNOWN
from workspaces.hostkit.base.consent import digest_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
TITLE = "Book the rooms"


@pytest.fixture(scope="module")
def asking(site: Site) -> str:
    """The page of a task whose MCP server has asked all that it can."""
    requests: list[dict[str, Any]] = [
        {**FORM},
        {**LINK, "id": "r2", "url": "https://xn--pple-43d.com@login.example/very/long?" + "x=1&" * 60},
        {**UNKNOWN, "id": "r3"},
        {**RAW, "id": "r4"},
    ]
    open_requests = [{**each, "digest": digest_of(each)} for each in requests]
    site.do(
        f"import json\nworkspace = Workspace.objects.get(name='dotfiles')\n"
        f"run = sample_board.busy(workspace, {TITLE!r}, 'asks', minutes=1).runs.get()\n"
        f"Run.objects.filter(pk=run.pk).update(state='waiting', run_dir='/x', "
        f"open_requests=json.loads({json.dumps(open_requests)!r}))\n"
    )
    return f"/tasks/{site.pk_of(TITLE)}"


def test_what_is_wrong_is_said_beside_the_fields_and_nothing_is_lost(asking: str, open_one: OpenPage) -> None:
    page = open_one(asking)
    form = page.locator("[data-ask$='-r1']")
    expect(page.locator("html[data-ready]")).to_be_attached()
    form.get_by_label("Your name").fill("A")
    form.get_by_label("count").fill("nine")
    form.get_by_label("env").select_option(label="Production")
    form.get_by_role("button", name="Send").click()
    expect(form.locator("[data-problem='field-0']")).to_have_text("Enter at least 2 characters.")
    expect(form.locator("[data-problem='field-3']")).to_have_text("Enter a number.")
    expect(form.get_by_label("Your name")).to_be_focused()
    expect(form.get_by_label("Your name")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("count")).to_have_value("nine")
    expect(form.get_by_label("env")).to_have_value("prod")
    form.get_by_label("Your name").fill("Ann")
    form.get_by_label("Your name").press("Enter")
    expect(form.locator("[data-problem='field-0']")).to_have_text("")


def test_what_does_not_fit_the_schema_is_said_below_an_answer_as_json(
    asking: str, open_one: OpenPage
) -> None:
    page = open_one(asking)
    form = page.locator("[data-ask$='-r4']")
    expect(page.locator("html[data-ready]")).to_be_attached()
    answer = form.get_by_label("Your answer as JSON")
    expect(answer).to_have_value('{\n  "at": {\n    "street": ""\n  }\n}')
    form.get_by_role("button", name="Send").click()
    expect(form.locator("[data-problem]")).to_have_text("at.street: It must have at least 2 characters.")
    expect(answer).to_be_focused()


def test_the_key_that_allows_does_not_answer_a_form(asking: str, open_one: OpenPage) -> None:
    page = open_one(asking)
    page.locator("[data-ask$='-r1']").focus()
    press(page, "a", "A")
    expect(page.locator("[data-ask$='-r1'].is-sending, .toast")).to_have_count(0)
    press(page, "d")
    expect(page.locator("[data-ask$='-r1'] [value=deny]")).to_be_focused()


def test_an_option_of_a_question_that_is_not_waited_for_fills_the_message_box(
    site: Site, asking: str, open_one: OpenPage
) -> None:
    page = open_one(asking)
    question = {"question": "Which floor?", "options": [{"label": "First"}]}
    event = {"kind": "text", "text": "Half way", "questions": [question]}
    site.do(
        f"run = Task.objects.get(title={TITLE!r}).last_run\n"
        f"sample_board.write(run, [{event!r}])\n"
        "doorbell.ring(f'task:{run.task_id}')"
    )
    page.get_by_role("button", name="First").click()
    expect(page.locator("#say-text")).to_have_value("Which floor? First")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_is_accessible_and_nothing_is_cut_off(
    asking: str, open_one: OpenPage, width: int, scheme: Literal["light", "dark"]
) -> None:
    for path in (asking, "/inbox"):
        page = open_one(path, width=width, height=1600, scheme=scheme)
        expect(page.locator("[data-ask$='-r3']")).to_be_visible()
        assert_no_barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for asked in page.locator(".asked").all():
            assert asked.evaluate("(node) => node.scrollWidth <= node.clientWidth + 1")
