"""What an agent is writing, on the pages of a browser, with both real CLIs."""

from __future__ import annotations

import os
import statistics
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import Chromium, open_page
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.browser]

WATCH = """() => {
  window.seen = {};
  window.twice = [];
  const log = document.getElementById("conversation");
  const look = () => {
    const now = Date.now();
    for (const [word] of log.textContent.matchAll(/w\\d+ /g)) window.seen[word] ??= now;
    for (const part of document.querySelectorAll("[data-writing]")) {
      if (document.querySelector(`#rows [data-part="${CSS.escape(part.dataset.writing)}"]`))
        window.twice.push(part.dataset.writing);
    }
  };
  new MutationObserver(look).observe(log, { subtree: true, childList: true, characterData: true });
}"""
"""Notes when each word appeared, and looks at each change for what is shown twice."""
expect.set_options(timeout=30_000)
MOST_SECONDS = 1.0
"""On an idle machine a word takes 0.15 s at most; CI has two busy cores."""


@pytest.fixture
def page(world: World, chromium: Chromium) -> Iterator[Page]:
    with open_page(chromium, world.app.site) as opened:
        yield opened


@pytest.fixture(scope="module")
def workspace(world: World) -> int:
    """One in which commands need no approval."""
    made: int = world.add_workspace("live", permission_mode="full")["id"]
    return made


def gate_of(world: World) -> Path:
    """A file that a script waits for until the test creates it."""
    return world.app.folder / f"gate-{uuid.uuid4().hex}"


def begin(world: World, page: Page, workspace: int, script: str, backend: str) -> dict[str, Any]:
    """Start a run that does nothing until the page is open."""
    gate = gate_of(world)
    waits = f"@bash until [ -e {gate} ]; do sleep 0.1; done"
    run = world.start(f"{waits}\n{script}", backend, workspace=workspace)
    world.app.show(page, f"/tasks/{run['task']}")
    expect(page.locator("#rows .ev-tool")).to_have_count(1)
    page.evaluate(WATCH)
    gate.touch()
    return run


@pytest.mark.alone
@pytest.mark.parametrize("directive", ["words", "muse"])
def test_words_and_thoughts_appear_as_they_come_and_never_twice(
    world: World, page: Page, workspace: int, backend: str, directive: str
) -> None:
    world.endpoint.spoken_at.clear()
    run = begin(world, page, workspace, f"@{directive} 60 0.05\n@text bye", backend)
    world.api.wait_for_run(run["id"], timeout=120)
    expect(page.locator("#rows .ev-text").last).to_contain_text("bye")
    expect(page.locator("[data-writing]")).to_have_count(0)
    seen = page.evaluate("window.seen")
    delays = [seen[word] / 1000 - at for (_, word), at in world.endpoint.spoken_at.items() if word in seen]
    assert len(delays) == 60
    assert page.evaluate("window.twice") == []
    assert statistics.median(delays) < MOST_SECONDS, (sorted(delays), os.getloadavg())
    last = list(world.endpoint.spoken_at.values())
    assert min(seen.values()) / 1000 < max(last), "nothing was shown before the answer was whole"


def test_a_reload_in_mid_answer_goes_on_with_it(
    world: World, page: Page, workspace: int, chromium: Chromium, backend: str
) -> None:
    gate = gate_of(world)
    run = begin(world, page, workspace, f"@words 20 0.05 {gate}\n@text bye", backend)
    expect(page.locator("#live")).to_contain_text("w10 ")
    page.reload(timeout=60_000)
    expect(page.locator("#live")).to_contain_text("w1 w2 w3 ")
    page.evaluate(WATCH)
    with open_page(chromium, world.app.site) as other:
        world.app.show(other, f"/tasks/{run['task']}")
        expect(other.locator("#live")).to_contain_text("w1 w2 w3 ")
        gate.touch()
        for each in (page, other):
            expect(each.locator("#rows")).to_contain_text("w19 w20")
            expect(each.locator("[data-writing]")).to_have_count(0)
    assert page.evaluate("window.twice") == []
    world.api.wait_for_run(run["id"], timeout=120)


def test_the_output_of_a_command_appears_in_its_row_while_it_runs(
    world: World, page: Page, workspace: int, backend: str
) -> None:
    gate = gate_of(world)
    lines = "for i in 1 2 3 4 5; do echo line $i; sleep 0.5; done"
    script = f"@bash {lines}; until [ -e {gate} ]; do sleep 0.1; done; echo line 6\n@text bye"
    run = begin(world, page, workspace, script, backend)
    output = page.locator("#rows .ev-tool .live-output pre", has_text="line")
    expect(output).to_contain_text("line 5")
    gate.touch()
    expect(page.locator(".ev-tool .output", has_text="line 6")).to_have_count(1)
    expect(page.locator("[data-writing]")).to_have_count(0)
    assert page.evaluate("window.twice") == []
    world.api.wait_for_run(run["id"], timeout=120)


def test_the_board_shows_the_line_that_is_being_written(
    world: World, page: Page, workspace: int, backend: str
) -> None:
    gate = gate_of(world)
    script = f"@text It begins.\n@bash true\n@words 30 0.05 {gate}\n@text bye"
    run = world.start(script, backend, workspace=workspace)
    world.app.show(page, "/")
    line = page.locator(f"#card-{run['task']} [data-activity]")
    expect(line).to_contain_text("w20 ")
    gate.touch()
    world.api.wait_for_run(run["id"], timeout=120)
    expect(page.locator(f"#card-{run['task']}")).not_to_contain_text("w20 ")


def test_nothing_of_it_is_stored(world: World, backend: str) -> None:
    run = world.succeed("@muse 20 0.02\n@words 20 0.02\n@text bye", backend)
    assert "partial" not in {event["kind"] for event in world.events(run)}
    (folder,) = (world.app.home / ".local/state/aitask/runs").glob(f"*-{run['id']}-*")
    for name in ("events.jsonl", "raw.jsonl"):
        stored = (folder / name).read_text()
        assert "stream_event" not in stored
        assert '"w7 "' not in stored


def test_an_agent_that_is_killed_leaves_nothing_open(
    world: World, page: Page, workspace: int, backend: str
) -> None:
    run = begin(world, page, workspace, "@words 400 0.1\n@text bye", backend)
    expect(page.locator("#live")).to_contain_text("w5 ")
    world.api.post(f"/api/tasks/{run['task']}/cancel")
    wait_for(lambda: world.api.get(f"/api/runs/{run['id']}")["state"] == "cancelled", 60, "the end")
    expect(page.locator("[data-writing]")).to_have_count(0)
    assert page.evaluate("window.twice") == []
