"""A plan on the task page: edited where it stands, approved by a button or a key."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Route, expect

from aitask.tests.lab.browser import press
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
PLAN = "# Slow query log\n\n1. Add `SLOW_MS`\n2. Test **it**\n"
PROPOSE = f"""
from workspaces.hostkit.base.consent import digest_of
from workspaces.hostkit.base.plans import plan_event
workspace = Workspace.objects.get(name="dotfiles")
asked = plan_event("p1", "ExitPlanMode", {{"plan": {PLAN!r}}})
run = sample_board.busy(workspace, "Plan it", "writes", minutes=3).runs.get()
request = {{**asked, "kind": asked.pop("request_kind"), "digest": digest_of(asked)}}
waiting = {{"state": "waiting", "permission_mode": "plan", "open_requests": [request]}}
Run.objects.filter(pk=run.pk).update(**waiting)
sample_board.write(run, [{{**asked, "request_kind": "plan"}}])
"""


@pytest.fixture(scope="module")
def plan_task(site: Site) -> str:
    site.do(PROPOSE)
    return f"/tasks/{site.pk_of('Plan it')}"


def answers_of(page: Page) -> list[dict[str, str]]:
    """Keep the answers that the page sends, in place of the server."""
    sent: list[dict[str, str]] = []

    def keep(route: Route) -> None:
        fields = parse_qs(route.request.post_data or "", keep_blank_values=True)
        sent.append({name: values[0].replace("\r\n", "\n") for name, values in fields.items()})
        route.fulfill(status=204)

    page.route(re.compile(r"/requests/p1$"), keep)
    return sent


def test_a_plan_is_edited_where_it_stands_and_nothing_is_lost(
    site: Site, open_one: OpenPage, plan_task: str
) -> None:
    page = open_one(plan_task)
    sent = answers_of(page)
    ask = page.locator(".asked")
    expect(ask.locator(".the-plan strong")).to_have_text("it")
    ask.locator("[data-edits]").click()
    expect(ask.locator(".the-plan")).to_be_hidden()
    box = ask.locator("textarea")
    expect(box).to_be_focused()
    expect(box).to_have_value(PLAN)
    press(page, "Control+End")
    press(page, "Enter")  # starts another line: it must not send a half-written plan
    page.keyboard.type("3. Mine")
    site.do(f"doorbell.ring('task:{plan_task.rpartition('/')[2]}')")
    expect(box).to_have_value(PLAN + "\n3. Mine")
    page.reload()
    expect(box).to_have_value(PLAN + "\n3. Mine")
    assert sent == []
    ask.get_by_role("button", name="Ask before changes").click()
    expect(ask).to_have_class(re.compile("is-answered"))
    [answer] = sent
    assert (answer["decision"], answer["mode"], answer["field"]) == ("allow", "ask", "plan")
    assert answer["input"] == PLAN + "\n3. Mine"


def test_my_changes_can_be_undone_and_the_plan_approved_as_it_was(open_one: OpenPage, plan_task: str) -> None:
    page = open_one(plan_task, width=390, height=844)
    sent = answers_of(page)
    ask = page.locator(".asked")
    ask.locator("[data-edits]").click()
    ask.locator("textarea").fill("nonsense")
    ask.get_by_role("button", name="Undo my changes").click()
    expect(ask.locator(".the-plan")).to_be_visible()
    page.locator(".asked").focus()
    press(page, "a")
    expect(ask).to_have_class(re.compile("is-answered"))
    [answer] = sent
    assert (answer["decision"], "input" in answer, "mode" in answer) == ("allow", False, False)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
