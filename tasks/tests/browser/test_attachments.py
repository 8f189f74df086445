"""Files are pasted, dropped or chosen, on the board and on a task's page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from tasks.tests.attachments.samples import picture
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
GIVE = """(element, [how, files, text]) => {
  const data = new DataTransfer();
  for (const [name, type, content] of files) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  if (text) data.setData("text/plain", text);
  const options = { bubbles: true, cancelable: true };
  const pasted = new ClipboardEvent("paste", { ...options, clipboardData: data });
  if (how === "paste") return !element.dispatchEvent(pasted);
  element.dispatchEvent(new DragEvent("dragover", { ...options, dataTransfer: data }));
  const shown = document.querySelectorAll(".is-dropping").length;
  element.dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
  return shown;
}"""


def give(place: Locator, how: str, *files: tuple[str, str, bytes], text: str = "") -> Any:
    """Paste or drop files, as a person does it: browsers let no test use the real clipboard for files."""
    given = [[name, kind, base64.b64encode(data).decode()] for name, kind, data in files]
    return place.evaluate(GIVE, [how, given, text])


SHOT = ("shot.png", "image/png", picture("PNG", (640, 400)))
LOG = ("trace.log", "text/plain", b"line\n")


def test_a_new_task_gets_what_is_pasted_dropped_and_chosen(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "n")
    box = page.locator("#new-task textarea")
    box.fill("Fix what the picture shows")
    assert give(box, "paste", SHOT)
    assert give(page.locator("#new-task .pick").first, "drop", LOG) == 1
    page.locator("#new-task [data-picker]").set_input_files(
        FilePayload(name="plan.pdf", mimeType="application/pdf", buffer=b"%PDF-1.4 plan")
    )
    chips = page.locator("#new-task .chip")
    expect(chips).to_have_count(3)
    expect(chips.locator("progress")).to_have_count(0)
    assert_no_barriers(page)
    assert not give(box, "paste", SHOT, text="copied from a table")
    page.reload()
    press(page, "n")
    expect(chips).to_have_count(3)
    page.get_by_role("button", name="Remove plan.pdf").click()
    expect(chips).to_have_count(2)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#new-task")).to_be_hidden()
    names = site.do(
        "result = list(Task.objects.get(title='Fix what the picture shows')"
        ".attachments.filter(in_prompt=True).values_list('name', flat=True))"
    )
    assert sorted(names) == ["shot.png", "trace.log"]
    page.goto(f"/tasks/{site.pk_of('Fix what the picture shows')}")
    thumbnail = page.locator(".idea .thumb")
    expect(thumbnail.locator("img")).to_be_visible()
    thumbnail.click()
    expect(page.get_by_role("dialog", name="shot.png").locator("img")).to_be_visible()
    assert_no_barriers(page)
    page.keyboard.press("Escape")
    expect(thumbnail).to_be_focused()


def test_a_message_can_be_only_files_and_a_refused_one_says_why(site: Site, open_one: OpenPage) -> None:
    site.do(
        "workspace = Workspace.objects.first()\n"
        "task = factories.make_task(title='With a message', workspace=workspace, status='review')\n"
        "factories.make_run(task=task, state='succeeded', cli_session='s')"
    )
    page = open_one(f"/tasks/{site.pk_of('With a message')}", width=390)
    box = page.locator("#say-text")
    chips = page.locator("#say .chip")
    give(box, "drop", ("fake.png", "image/png", b"no picture"))
    expect(chips.locator(".why")).to_contain_text("its content is not one")
    page.get_by_role("button", name="Remove fake.png").click()
    expect(chips).to_have_count(0)

    def fail(route: Route) -> None:
        route.abort()

    page.route("**/api/attachments", fail, times=1)
    give(box, "paste", SHOT)
    page.get_by_role("button", name="Upload shot.png again").click()
    expect(chips.locator("img")).to_be_visible()
    assert_no_barriers(page)
    with page.expect_response("**/say"):
        box.press("Enter")
    expect(chips).to_have_count(0)
    run = "Task.objects.get(title='With a message').last_run"
    assert site.do(f"result = [{run}.prompt, len({run}.attachments)]") == ["", 1]


def test_pictures_of_the_agent_are_shown_below_its_call_and_open_larger(
    site: Site, open_one: OpenPage
) -> None:
    folder = site.app.folder / "run-with-pictures"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    contents = [picture("PNG", (640, 400)), b"\x89PNG\r\n\x1a\n damaged"]
    named = [{"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for content in contents]
    for facts, content in zip(named, contents, strict=True):
        (folder / "pictures" / str(facts["sha256"])).write_bytes(content)
    task = site.do(
        "here = factories.make_workspace(owner=User.objects.get(username='ada'))\n"
        "task = factories.make_task(title='Sees', workspace=here, status='review')\n"
        f"run = factories.make_run(task=task, state='succeeded', run_dir={str(folder)!r})\n"
        "factories.make_event(run, 'tool', id='t1', name='Read', title='shot.png')\n"
        f"factories.make_event(run, 'tool_result', id='t1', output='', pictures={named!r})\n"
        "result = task.pk"
    )
    page = open_one(f"/tasks/{task}")
    call = page.locator(".ev-tool", has_text="shot.png")
    expect(call.locator(".shown img")).to_have_count(1)  # the other one says why it is not shown
    expect(call.locator(".shown .chip")).to_have_text("The picture is damaged.")
    assert call.locator(".shown img").evaluate("image => image.naturalWidth") == 400
    assert_no_barriers(page)
    call.locator(".shown a").click()
    opened = page.get_by_role("dialog").locator("img")
    expect(opened).to_be_visible()
    assert opened.evaluate("async image => (await image.decode(), image.naturalWidth)") == 640


def make_blind_task(site: Site) -> Any:
    """A task in review, whose model takes no pictures; another one of its host does."""
    return site.do(
        "from workspaces.tests.catalog.conftest import keep, model\n"
        "ada = User.objects.get(username='ada')\n"
        "mine = factories.make_workspace(owner=ada, kind='ssh', ssh_host='models')\n"
        "mine.host.model_lists.all().delete()\n"
        "sees, blind = model('gpt-sees', 'low', default=True), model('gpt-blind', 'low')\n"
        "keep(mine.host, 'codex', {**sees, 'takes_pictures': True}, {**blind, 'takes_pictures': False})\n"
        "task = factories.make_task(title='Sees nothing', workspace=mine, status='review', backend='codex',"
        " model='gpt-blind')\n"
        "factories.make_run(task=task, state='succeeded', cli_session='s', backend='codex')\n"
        "result = task.pk"
    )


def test_a_model_that_takes_no_pictures_is_said_beside_them_before_they_are_sent(
    site: Site, open_one: OpenPage
) -> None:
    address = f"/tasks/{make_blind_task(site)}"
    page = open_one(address)
    said = page.locator("#say .no-pictures")
    give(page.locator("#say-text"), "drop", LOG)
    expect(page.locator("#say .chip")).to_have_count(1)
    expect(said).to_be_hidden()
    give(page.locator("#say-text"), "paste", SHOT)
    expect(said).to_have_text(re.compile("This model takes no pictures"))
    page.locator("#say [data-menu=talksettings]").click()
    page.locator("#talk-model").fill("gpt-seeing")
    expect(said).to_be_hidden()
    page.locator("#talk-model").fill("gpt-blind")
    expect(said).to_be_visible()
    page.keyboard.press("Escape")
    for path in (address, f"{address}/changes"):
        page.goto(path)
        page.evaluate("document.getElementById('request-changes').showModal()")
        give(page.locator("#request-changes-text"), "paste", SHOT)
        expect(page.locator("#request-changes .no-pictures")).to_be_visible()
    assert_no_barriers(page)


def test_files_go_along_to_the_plan_page_and_to_each_task(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "n")
    box = page.locator("#new-task textarea")
    box.fill("- Carry one\n- Carry two")
    held: list[Route] = []
    page.route("**/api/attachments", lambda route: held.append(route), times=1)
    give(box, "paste", SHOT)
    page.get_by_role("button", name="Split…").click()
    expect(page.locator("#new-task .attach [role=status]")).to_have_text("Wait until the files are uploaded.")
    held[0].continue_()
    expect(page.locator("#new-task .chip img")).to_be_visible()
    page.get_by_role("button", name="Split…").click()
    chips = page.locator("#plan-form .chip")
    expect(chips).to_have_text(re.compile("shot.png"))
    expect(page.locator("#plan-rows > li")).to_have_count(2)
    page.reload()
    expect(chips).to_have_text(re.compile("shot.png"))
    page.get_by_role("button", name="Create all in Backlog").click()
    expect(page.locator(".card", has_text="Carry two")).to_be_visible()
    found = "Attachment.objects.filter(task__title__startswith='Carry', in_prompt=True)"
    names = f"from tasks.models import Attachment\nresult = list({found}.values_list('task__title', 'name'))"
    assert sorted(site.do(names)) == [["Carry one", "shot.png"], ["Carry two", "shot.png"]]
