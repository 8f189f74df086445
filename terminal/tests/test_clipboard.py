"""Copying and pasting in the terminal's page, and what programs may do with the clipboard."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import press
from terminal.control.viewer import CANCEL
from terminal.tests.page import PASTE, TERM, TEXT, Open, show, type_line, until, until_shows
from terminal.tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
SELECT = f"""async text => {{ const term = {TERM}, {{ active }} = term.buffer;
  for (let y = active.length - 1; y >= 0; y--)
    if (active.getLine(y).translateToString(true) === text) return term.select(0, y, text.length); }}"""
WITHOUT_HTTPS = "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })"
"""As on a page with plain HTTP, which has no navigator.clipboard."""
AGREE = """() => {
  const { host } = document.querySelector("#screen").dataset;
  localStorage.setItem(`terminal-copies:${host}`, "yes"); }"""
READ = "navigator.clipboard.readText()"


def osc52(text: str | bytes, targets: str = "c") -> str:
    """A shell command that copies the text as a program does."""
    data = base64.b64encode(text.encode() if isinstance(text, str) else text).decode()
    return rf"printf '\033]52;{targets};{data}\007'"


def wrapped(text: str) -> str:
    """The same for programs that want tmux to pass the sequence through."""
    data = base64.b64encode(text.encode()).decode()
    return rf"printf '\033Ptmux;\033\033]52;c;{data}\007\033\\'"


def copies(page: Page, text: str) -> None:
    """Let a program in the terminal copy the text."""
    type_line(page, f"{osc52(text)}; echo co''pied")
    until_shows(page, "copied")


def clipboard_is(page: Page, text: str) -> None:
    until(page, f"async text => await {READ} === text", text)


def paste_keys(page: Page, text: str, keys: str = "Control+v") -> None:
    """Put the text into the clipboard, and press the keys that paste it."""
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.click("#term-room")
    press(page, keys)


@pytest.fixture
def page(desk: Site, task: int, open_one: Open, request: pytest.FixtureRequest) -> Any:
    """A terminal of a shell without bracketed paste, in a browser that lets the page use the clipboard."""
    desk.make_session(task, "sh")
    with open_one() as opened:
        opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
        if getattr(request, "param", ""):
            opened.add_init_script(request.param)
        show(opened, desk, task)
        until_shows(opened, "$")
        yield opened


def test_ctrl_c_copies_a_selection_once_and_interrupts_without_one(page: Page) -> None:
    type_line(page, "echo copy'' me; cat")
    until_shows(page, "\ncopy me")
    page.evaluate(SELECT, "copy me")
    press(page, "Control+c")
    clipboard_is(page, "copy me")
    assert not page.evaluate(f"async () => {TERM}.hasSelection()")
    assert "^C" not in page.evaluate(TEXT)
    press(page, "Control+c")
    until_shows(page, "^C")


def test_ctrl_v_and_ctrl_shift_v_paste_a_line_at_once(page: Page) -> None:
    type_line(page, "cat")
    paste_keys(page, "one line, ")
    until_shows(page, "one line, ")
    paste_keys(page, "and another", "Control+Shift+V")
    until_shows(page, "one line, and another")
    page.click("[aria-label='Copy and paste']")
    page.get_by_label("pastes").uncheck()
    press(page, "Escape")
    page.click("#term-room")
    press(page, "Control+v")
    press(page, "Control+v")
    until_shows(page, "^V")


@pytest.mark.parametrize("page", [WITHOUT_HTTPS], indirect=True)
def test_plain_http_is_enough_to_copy_and_paste(page: Page) -> None:
    assert page.evaluate("navigator.clipboard") is None
    type_line(page, "echo plain'' http; cat")
    until_shows(page, "\nplain http")
    page.evaluate(SELECT, "plain http")
    press(page, "Control+c")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    press(page, "Control+v")
    until_shows(page, "\nplain http\nplain http")


def test_several_lines_are_shown_before_a_program_gets_them_that_would_run_them(page: Page) -> None:
    text = "echo fir''st\necho se\x1bcond\n"
    page.click("#term-room")
    page.evaluate(PASTE, text)
    dialog = page.get_by_role("dialog", name="Paste 2 lines?")
    expect(dialog.locator("pre")).to_have_text("echo fir''st\necho se␛cond\n")
    press(page, "Escape")
    expect(dialog).to_be_hidden()
    page.evaluate(PASTE, text)
    expect(dialog).to_be_visible()
    press(page, "o")
    until_shows(page, "$ echo fir''st echo second")
    press(page, "Control+c")
    until_shows(page, "second^C\n$ ")  # what comes before the prompt is thrown away
    page.evaluate(PASTE, text)
    expect(dialog).to_be_visible()
    press(page, "y")
    until_shows(page, "\nfirst\n")
    until_shows(page, "second\n$ ")  # the shell may have echoed the line before it printed the prompt
    page.evaluate(PASTE, "rm -rf /\n")
    expect(page.get_by_role("dialog")).to_contain_text("Paste a line with a line break?")


def test_several_lines_are_pasted_at_once_where_the_program_marks_them(page: Page) -> None:
    type_line(page, r"printf '\033[?2004hready'; cat -v")
    until_shows(page, "ready")
    page.evaluate(PASTE, "first\nsecond")
    until_shows(page, "^[[200~first")
    expect(page.locator("#term-paste")).to_be_hidden()


def test_what_can_not_be_pasted_is_said(page: Page) -> None:
    page.click("#term-room")
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "exit\\n".repeat(4_000_000));
        document.querySelector(".xterm-helper-textarea").dispatchEvent(
          new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })); }"""
    )
    expect(page.locator(".toast")).to_contain_text("at most 16,777,216 can be pasted")
    assert "exit" not in page.evaluate(TEXT)


def test_shift_enter_is_enter_unless_the_program_has_a_new_line(
    desk: Site, page: Page, tmp_path: Path
) -> None:
    type_line(page, "cat -v")
    page.keyboard.type("plain")
    press(page, "Shift+Enter")
    until_shows(page, "plain\nplain\n")
    press(page, "Control+c")
    shutil.copy(shutil.which("cat") or "", tmp_path / "claude")
    type_line(page, f"{tmp_path}/claude -v")
    page.keyboard.type("fi''rst")
    press(page, "Shift+Enter")
    page.keyboard.type("second\n")
    until_shows(page, "fi''rst^[\nsecond\nsecond\n")


def test_a_program_copies_only_after_the_user_has_agreed_once(page: Page) -> None:
    page.evaluate("navigator.clipboard.writeText('mine')")
    copies(page, "theirs\x1b[31m one")
    bar = page.get_by_role("region", name="Text copied by a program")
    expect(bar).to_contain_text("A program on this machine wants to copy 14 characters")
    expect(bar.get_by_label("Copied text")).to_have_value("theirs[31m one")
    assert page.evaluate(READ) == "mine"
    bar.get_by_role("button", name="Always on this host").click()
    clipboard_is(page, "theirs[31m one")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    type_line(page, wrapped("theirs two"))
    clipboard_is(page, "theirs two")
    expect(bar).to_contain_text("has copied 10 characters: theirs two")
    page.click("[aria-label='Copy and paste']")
    page.get_by_label("Ignore it").check()
    press(page, "Escape")
    copies(page, "theirs three")
    expect(bar).to_be_hidden()
    assert page.evaluate(READ) == "theirs two"


@pytest.mark.parametrize("page", [WITHOUT_HTTPS], indirect=True)
def test_plain_http_offers_what_a_program_has_copied(page: Page) -> None:
    page.evaluate(
        "localStorage.setItem('terminal-copies:' + document.querySelector('#screen').dataset.host, 'yes')"
    )
    copies(page, "by hand")
    bar = page.get_by_role("region", name="Text copied by a program")
    expect(bar.get_by_label("Copied text")).to_have_value("by hand")
    bar.get_by_role("button", name="Copy", exact=True).click()
    expect(bar).to_be_hidden()
    type_line(page, "cat")
    press(page, "Control+v")
    until_shows(page, "by hand")


HOSTILE = {
    "a query": r"printf '\033]52;c;?\007'",
    "the primary selection": osc52("x", "p"),
    "a cut buffer": osc52("x", "0"),
    "no selection and no text": r"printf '\033]52\007'",
    "nothing, which would clear it": r"printf '\033]52;c;\007'",
    "what is not base64": r"printf '\033]52;c;%%%%\007'",
    "what is not UTF-8": osc52(b"\xff\xfe"),
    "control characters only": osc52("\x1b\x00\x07"),
}


def test_hostile_sequences_copy_nothing_and_learn_nothing(page: Page) -> None:
    page.evaluate(
        "localStorage.setItem('terminal-copies:' + document.querySelector('#screen').dataset.host, 'yes')"
    )
    page.evaluate("navigator.clipboard.writeText('my secret')")
    for sequence in HOSTILE.values():
        type_line(page, sequence)
    type_line(page, "echo al''ive; cat -v")
    until_shows(page, "\nalive")
    bar = page.get_by_role("region", name="Text copied by a program")
    expect(bar).to_be_hidden()
    assert page.evaluate(READ) == "my secret"
    assert "bXkgc2VjcmV0" not in page.evaluate(TEXT)  # base64 of the secret
    press(page, "Control+c")
    # Not by the program: the output of a fast one is skipped in part.
    page.evaluate(f"async () => {TERM}.write('\\x1b]52;c;' + 'AAAA'.repeat(500000) + '\\x07')")
    expect(bar).to_contain_text("A program tried to copy 1.4 MB. The limit is 1 MB.")
    assert page.evaluate(READ) == "my secret"


def test_a_copy_whose_rest_was_skipped_is_not_taken(page: Page) -> None:
    """What follows a skipped part begins with this sign."""
    heard = page.evaluate(
        f"""async sign => {{
            const term = {TERM}, heard = [];
            term.parser.registerOscHandler(52, data => !heard.push(data));
            const write = text => new Promise(done => term.write(text, done));
            await write("\\x1b]52;c;aGFsZiBvZg==" + sign + "painted");
            await write("\\x1b]52;c;YWxs\\x07");
            return heard; }}""",
        CANCEL.decode(),
    )
    assert heard == ["c;YWxs"]


def test_what_is_copied_with_tmux_reaches_the_one_who_typed(desk: Site, page: Page) -> None:
    type_line(page, r"printf 'by tmux\\\n%%end 1 2 1\né' | tmux load-buffer -w -")
    bar = page.get_by_role("region", name="Text copied by a program")
    expect(bar.get_by_label("Copied text")).to_have_value("by tmux\\\n%end 1 2 1\né", timeout=60_000)
