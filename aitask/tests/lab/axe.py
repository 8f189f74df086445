"""Accessibility checks of a page by axe-core."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from .tools import missing, tools_path

RUN = """async () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;  // changes colours, and nothing else
  const rules = dark ? {runOnly: ["color-contrast", "link-in-text-block"]} : {};
  const options = {resultTypes: ["violations"], preload: false, ...rules};
  const still = () => Promise.allSettled(document.getAnimations()
    .filter(one => one.effect.getTiming().iterations === 1).map(one => one.finished));
  for (let left = 10; ; left--) {
    let asked = false;
    const note = () => { asked = true; };
    document.addEventListener("htmx:beforeRequest", note);
    await still();
    const found = (await axe.run(document, options)).violations;
    document.removeEventListener("htmx:beforeRequest", note);
    if (!found.length || !left || !(asked || document.querySelector(".htmx-request"))) return found;
    await new Promise(done => setTimeout(done, 100));
  }
}"""
"""Answers have come and transitions are over when colours are judged: what is stale is faint. An animation
that is cancelled because its element was replaced is over, too. A page that has asked for news meanwhile is
judged again. Styles are not loaded once more, which the admin's policy forbids and no rule needs.
"""


def assert_no_barriers(page: Page) -> None:
    """Assert that axe-core finds nothing on the current page, as soon as it is still."""
    found = findings(page)
    assert not found, f"{page.url}: {found}"


def findings(page: Page) -> list[str]:
    """Return all findings of axe-core on the current page as it is when it is still, one line each."""
    expect(page.locator(".htmx-request")).to_have_count(0, timeout=60_000)
    page.evaluate(_script().read_text())
    return [
        f"{finding['id']}: {finding['help']} at {node['target']}: {node['failureSummary']}"
        for finding in page.evaluate(RUN)
        for node in finding["nodes"]
    ]


def _script() -> Path:
    candidates = [Path(folder).parent / "axe-core" / "axe.min.js" for folder in tools_path()]
    script = next((path for path in candidates if path.exists()), None)
    if script is None:
        missing("axe-core is not installed; `bash .ci/test` installs it")
    return script
