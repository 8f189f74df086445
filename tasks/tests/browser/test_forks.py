"""Forking a conversation, and going on in a new session, by their dialogs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import screenshot
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OpenPage = Callable[..., Page]
TASK = """
task = factories.make_task(
    title='Fork me', prompt='Sort it.', workspace=Workspace.objects.first(), status='review')
first = factories.make_run(task=task, number=1, state='failed', cli_session='s1', output_tokens=5)
factories.make_event(first, 'message', text='Sort it.', by='prompt')
factories.make_event(first, 'text', text='I have sorted the first shelf, by size.', anchor='u1')
factories.make_event(first, 'message', text='By colour, please.', by='web')
factories.make_event(first, 'text', text='Now I sort by colour.', anchor='u2')
gone = dict(state='failed', reason_code='session', reason='No conversation found.')
factories.make_run(task=task, number=2, resumes='s1', cli_session='s1', **gone)
result = task.pk
"""


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_message_is_forked_with_other_words(
    site: Site, open_one: OpenPage, width: int, scheme: str
) -> None:
    number = site.do(TASK)
    page = open_one(f"/tasks/{number}", width=width, scheme=scheme)
    expect(page.locator("[data-fork]")).to_have_count(3)
    row = page.locator(".ev-message", has_text="By colour")
    row.hover()
    screenshot(page, f"fork-rows-{width}")
    row.locator("[data-fork]").click()
    dialog = page.locator("#run-task")
    expect(dialog).to_contain_text("Files stay as they are.")
    box = dialog.locator("textarea")
    expect(box).to_have_value("By colour, please.")
    screenshot(page, f"fork-dialog-{width}")
    assert_no_barriers(page)
    box.fill("By author, please.")
    dialog.get_by_role("button", name="Fork and run").click()
    expect(dialog).to_be_hidden()
    fields = "'prompt', 'resumes', 'fork_at'"
    queued = site.do(f"result = list(Run.objects.filter(task={number}, number=3).values({fields}))")
    assert queued == [{"prompt": "By author, please.", "resumes": "s1", "fork_at": "u1"}]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_a_lost_session_is_rescued_with_an_edited_record(
    site: Site, open_one: OpenPage, width: int, scheme: str
) -> None:
    number = site.do(TASK)
    page = open_one(f"/tasks/{number}", width=width, scheme=scheme)
    expect(page.locator("#resume")).to_have_count(0)
    screenshot(page, f"rescue-page-{width}")
    page.locator("#rescue").click()
    dialog = page.locator("#run-task")
    box = dialog.locator("textarea")
    expect(box).to_be_visible()
    assert "> I have sorted the first shelf, by size." in box.input_value()
    screenshot(page, f"rescue-dialog-{width}")
    assert_no_barriers(page)
    box.fill("Go on with the second shelf.")
    dialog.get_by_role("button", name="Run").click()
    expect(dialog).to_be_hidden()
    queued = site.do(
        f"result = list(Run.objects.filter(task={number}, number=3).values('prompt', 'resumes'))"
    )
    assert queued == [{"prompt": "Go on with the second shelf.", "resumes": ""}]
