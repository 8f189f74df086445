"""What tests of the terminal's page in Chromium share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count

from playwright.sync_api import Page

from aitask.tests.lab.wait import wait_for
from terminal.tests.site import Site

TERM = "(await import('/static/terminal/terminal.js')).term"
TEXT = f"""async () => {{ const {{ active }} = {TERM}.buffer; const lines = [];
  for (let y = 0; y < active.length; y++) lines.push(active.getLine(y).translateToString(true));
  return lines.join("\\n"); }}"""
PASTE = """text => { const data = new DataTransfer(); data.setData("text/plain", text);
  document.querySelector(".xterm-helper-textarea").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })); }"""
SIZE = f"async () => {{ const {{ cols, rows }} = {TERM}; return [cols, rows]; }}"
UNUSED = count()
"Numbers of tasks that no test has used."
Open = Callable[..., AbstractContextManager[Page]]


def log_in(page: Page, site: Site) -> None:
    name, _, value = site.cookie.partition("=")
    page.context.add_cookies([{"name": name, "value": value, "url": f"http://aitask.localhost:{site.port}"}])


def show(page: Page, site: Site, task: int, *, creates: bool = False) -> Page:
    """Open a task's terminal and wait until it is connected."""
    log_in(page, site)
    page.goto(f"/tasks/{task}/terminal")
    if creates:
        page.get_by_role("button", name="Create and open").click()
    connected(page)
    return page


def connected(page: Page) -> None:
    page.wait_for_selector("#term-state.link-up", timeout=60_000)


def until(page: Page, expression: str, arg: object = None) -> None:
    """Wait for an asynchronous condition. `wait_for_function` would take its promise for a true value."""
    assert expression.startswith("async ")
    wait_for(lambda: bool(page.evaluate(expression, arg)), 60, expression)


def until_shows(page: Page, text: str) -> None:
    shown = f"async text => (await ({TEXT})()).includes(text)"
    wait_for(lambda: bool(page.evaluate(shown, text)), 60, lambda: f"{text!r} in {page.evaluate(TEXT)!r}")


def screen(page: Page) -> list[str]:
    """The lines on the screen, as many as have text."""
    rows = page.evaluate(TEXT).split("\n")[-page.evaluate(SIZE)[1] :]
    return "\n".join(row.rstrip() for row in rows).rstrip("\n").split("\n")


def type_line(page: Page, text: str) -> None:
    page.click("#term-room")
    page.keyboard.type(f"{text}\n")
