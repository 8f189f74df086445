"""The inbox in a real browser, by keyboard alone, with agents of both CLIs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import Chromium, open_page, press
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.accounts import Account, Comparison
from tasks.tests.e2e.world import BACKENDS, World

pytestmark = [pytest.mark.cli, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]
RUNS, ASKS = 6, 3


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Its own: the inbox shows what all runs ask."""
    with World() as world:
        yield world


@pytest.fixture
def page(world: World, chromium: Chromium) -> Iterator[Page]:
    with open_page(chromium, world.app.site) as page:
        world.app.show(page)
        yield page


@pytest.mark.nightly
@pytest.mark.long("six agents at once that ask three times each")
def test_many_runs_that_ask_again_and_again_are_answered_by_keyboard(world: World, page: Page) -> None:
    workspace = world.add_workspace("many", permission_mode="ask", max_parallel_runs=RUNS)["id"]
    press(page, "g", "i")
    expect(page.get_by_text("All caught up")).to_be_visible()
    runs = [world.start(script(number), BACKENDS[number % 2], workspace=workspace) for number in range(RUNS)]
    expect(page.locator(".asked")).to_have_count(RUNS, timeout=120_000)
    expect(page.locator("#needs-count")).to_have_text(str(RUNS))

    def answered_all() -> bool:
        press(page, "a")
        return all(is_over(world, run) for run in runs)

    wait_for(
        answered_all,
        240,
        lambda: f"an end of all; {page.locator('#inbox').inner_text()}",
        every=0.1,
        at_most_every=0.1,
    )
    for number, run in enumerate(runs):
        for ask in range(ASKS):
            assert (world.worktree(run) / f"run-{number}-{ask}.txt").exists()
        assert [event["by"] for event in world.events(run, "request_closed")] == ["web"] * ASKS
    expect(page.get_by_text("All caught up")).to_be_visible()
    expect(page.locator("#needs-count")).to_be_hidden()


@pytest.mark.alone
def test_nothing_shown_differs_for_long_from_what_the_clis_and_the_endpoint_say(
    world: World, page: Page
) -> None:
    """Board and inbox in a browser are compared all the time while four agents ask, write and are stopped."""
    workspace = world.add_workspace("watched", permission_mode="ask")["id"]
    inbox = page.context.new_page()
    inbox.goto("/inbox")
    page.goto(f"/?workspace={workspace}")
    runs = [
        world.start(asking, "claude_code", workspace=workspace)
        for asking in (f"{ASKING}\n@ask Which? | Red | Blue", WRITING)
    ] + [world.start(asking, "codex", workspace=workspace) for asking in (ASKING, WRITING)]
    compared = Comparison([Account(world, run) for run in runs])
    person = Attendant(world, runs, stops={runs[1]["id"], runs[3]["id"]})
    deadline = time.monotonic() + 120
    while set(compared.look(lambda: shown(page, inbox))) != {"over"}:
        assert time.monotonic() < deadline, page.locator("#board").inner_text()
        person.attend()
    wait_for(lambda: compared.look(lambda: shown(page, inbox)) and no_run_is_shown(page, inbox), 5)
    print(f"{compared.looks} looks; the longest difference took {compared.longest:.2f} s: {compared.worst}")
    assert compared.seen >= {"busy", "asks", "over"}
    assert compared.longest < 1.0, compared.worst


ASKING = "@bash touch asked.txt\n@stream 10 0.15\n@bash sleep 1.2"
WRITING = "@stream 300 0.1"


class Attendant:
    """Answers each request after a while, and stops the agents that only write."""

    PATIENCE = 1.5

    def __init__(self, world: World, runs: list[dict[str, Any]], stops: set[int]) -> None:
        self.world = world
        self.runs = runs
        self.stops = stops
        self._due: dict[str, float] = {}

    def attend(self) -> None:
        for run in (self.world.api.run(run["id"]) for run in self.runs):
            address = f"/api/runs/{run['id']}"
            if run["state"] == "running" and run["id"] in self.stops and self._is_due(address):
                self.world.api.post(f"{address}/interrupt")
            for request in run["open_requests"]:
                question = request["kind"] == "question"
                said = {"answers": {"Which?": "Blue"}} if question else {"decision": "allow"}
                if self._is_due(where := f"{address}/requests/{request['id']}"):
                    self.world.api.post(where, said)

    def _is_due(self, what: str) -> bool:
        """True once, when it has been there for PATIENCE."""
        now = time.monotonic()
        if now < self._due.setdefault(what, now + self.PATIENCE):
            return False
        self._due[what] = float("inf")
        return True


def no_run_is_shown(board: Page, inbox: Page) -> bool:
    cards, asked = shown(board, inbox)
    return not any(cards.values()) and not asked


def shown(board: Page, inbox: Page) -> tuple[dict[str, str], set[str]]:
    """The state of each card's live run by task, and the ids of the runs that ask something in the inbox."""
    cards = board.evaluate("""() => {
        const stateOf = (card) => {
            if (card.matches(".needs-you")) return "waiting";
            const verbs = card.dataset.verbs.split(" ");
            return verbs.includes("unqueue") ? "queued" : verbs.includes("cancel") ? "running" : "";
        };
        return Object.fromEntries(
            [...document.querySelectorAll(".card")].map((card) => [card.dataset.pk, stateOf(card)]));
    }""")
    asked = inbox.evaluate(
        "() => [...document.querySelectorAll('.asked:not(.is-answered) [name=ask]')].map((ask) => ask.value)"
    )
    return cards, {key.partition("-")[0] for key in asked}


def test_deny_edit_and_choose_by_keyboard(world: World, page: Page) -> None:
    workspace = world.add_workspace("by keys", permission_mode="ask")["id"]
    page.goto("/inbox")
    denied = world.start("@bash touch denied.txt\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("denied.txt", timeout=60_000)
    press(page, "d")
    page.keyboard.type("not this")
    press(page, "Enter")
    over = world.api.wait_for_run(denied["id"])
    assert world.events(over, "request_closed")[0]["text"] == "not this"

    edited = world.start("@bash touch before.txt\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("before.txt", timeout=60_000)
    press(page, "e")
    press(page, "Control+a")
    page.keyboard.type("touch after.txt")
    press(page, "Enter")
    world.api.wait_for_run(edited["id"])
    assert (world.worktree(edited) / "after.txt").exists()

    asked = world.start("@ask Which? | Red | Blue\n@text fine", "claude_code", workspace=workspace)
    expect(page.locator(".asked:focus")).to_contain_text("Which?", timeout=60_000)
    press(page, "2")
    press(page, "Enter")
    world.api.wait_for_run(asked["id"])
    assert "Blue" in str(world.events(asked, "tool_result")[0]["output"])


def script(number: int) -> str:
    return "\n".join(f"@bash touch run-{number}-{ask}.txt" for ask in range(ASKS))


def is_over(world: World, run: dict[str, Any]) -> bool:
    return world.api.run(run["id"])["finished_at"] is not None
