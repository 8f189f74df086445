"""Files that are dropped or pasted into a terminal: on the host, their paths typed, nothing sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from aitask.tests.lab.given_files import picture
from aitask.tests.lab.wait import wait_for
from terminal.tests.page import Open, connected, log_in, show, until_shows
from terminal.tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

GIVE = """([way, name, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const room = document.querySelector("#term-room");
  const options = { bubbles: true, cancelable: true };
  const events = way === "paste"
    ? [new ClipboardEvent("paste", { ...options, clipboardData: data })]
    : ["dragover", "drop"].map((each) => new DragEvent(each, { ...options, dataTransfer: data }));
  for (const event of events) room.dispatchEvent(event);
}"""


def give(page: Page, way: str, name: str, media_type: str, content: bytes) -> None:
    page.evaluate(GIVE, [way, name, media_type, list(content)])


def test_what_is_dropped_or_chosen_is_put_on_the_host_and_its_path_typed(
    desk: Site, task: int, open_one: Open
) -> None:
    desk.make_session(task)
    with open_one() as page:
        show(page, desk, task)
        give(page, "drop", "stack trace's.log", "text/plain", b"line one\n")
        until_shows(page, "stack_trace_s.log ")
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Put a file on the host").click()
        chosen.value.set_files(FilePayload(name="image.png", mimeType="image/png", buffer=picture()))
        until_shows(page, "image.png ")
        line = r"\$(/.+/stack_trace_s\.log)(/.+/image\.png)"  # the shell wraps it; nothing was executed
        typed = wait_for(lambda: re.fullmatch(line, "".join(desk.capture(task).split())), 30, "the paths")
        assert [Path(each).read_bytes() for each in typed.groups()] == [b"line one\n", picture()]
        expect(page.locator(".toast")).to_have_count(0)


def test_the_terminal_of_no_task_says_why_it_takes_no_files(desk: Site, open_one: Open) -> None:
    with open_one() as page:
        log_in(page, desk)
        page.goto(f"/workspaces/{desk.workspace}/terminal")
        connected(page)
        give(page, "drop", "a.txt", "text/plain", b"a")
        expect(page.locator(".toast.failed")).to_contain_text("only be given to the terminal of a task")


def test_a_refused_file_is_said_and_nothing_is_typed(desk: Site, task: int, open_one: Open) -> None:
    desk.make_session(task)
    with open_one() as page:
        show(page, desk, task)
        give(page, "paste", "empty.txt", "text/plain", b"")
        wait_for(lambda: page.locator(".toast.failed").count() == 1, 60, "a refusal")
        assert "empty.txt" not in desk.capture(task)
